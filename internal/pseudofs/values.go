package pseudofs

import (
	"os"
	"sync"
	"time"
)

// Values are the container's own values of nodes that it may write. Those of network
// nodes are shared by the containers of a pod, see [Config.Network].
type Values struct {
	mu sync.Mutex
	// texts are the values by name; what nobody asked for is missing.
	texts map[string]versioned
}

// versioned is a text and when it became what it is, in nanoseconds since 1970: the
// modification time that the kernel is shown, no two of which are the same for one file.
type versioned struct {
	text  string
	stamp uint64
}

// NewValues are values of which nobody has written any.
func NewValues() *Values { return &Values{texts: map[string]versioned{}} }

// get is the value of a node: the host's, when it is asked for the first time.
func (v *Values) get(n *node) (versioned, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.load(n)
}

// load is get for who holds the lock.
func (v *Values) load(n *node) (versioned, error) {
	if now, ok := v.texts[n.value()]; ok {
		return now, nil
	}
	text, err := os.ReadFile("/" + n.value())
	if err != nil {
		return versioned{}, err
	}
	now := versioned{string(text), newer(0)}
	v.texts[n.value()] = now
	return now, nil
}

// write changes the value of a node as its rule says. accept is asked before a new value
// is kept, and may be nil.
func (v *Values) write(n *node, off int64, data []byte, accept func(text string) error) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old, err := v.load(n)
	if err != nil {
		return 0, err
	}
	text, written, err := n.rule.write(old.text, off, data)
	if accept != nil && err == nil && written > 0 && off == 0 {
		if err := accept(text); err != nil {
			return 0, err
		}
	}
	// A write that changed nothing is a version, too: the kernel has the writer's own
	// text in its cache, "  7" for "7".
	v.texts[n.value()] = versioned{text, newer(old.stamp)}
	return written, err
}

// newer is the time, but after another.
func newer(than uint64) uint64 { return max(uint64(time.Now().UnixNano()), than+1) }
