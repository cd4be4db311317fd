package shim

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/eci-runtime/eci/internal/sysctl"
)

// raiser raises settings of the host for the container. What the client has made read-only it must
// not: a container that gets around that, by an instance of proc of an inner user namespace,
// writes its own copy and no more.
//
// To raise costs the shim ten times what the write costs the container, and holds the lock of all
// shims, so it is done now and then only; the writer waits.
func (c *container) raiser(readOnly []string) func(node string, value int64) error {
	var p pacer
	return func(node string, value int64) error {
		if _, raised := c.cfg.Sysctl.Ceilings[node]; !raised {
			return nil
		}
		for _, path := range readOnly {
			if within("/proc/sys/"+sysctl.Nodes[node], filepath.Clean(path)) {
				return nil
			}
		}
		p.wait()
		return c.hostSettings().Raise(node, value, c.bundle)
	}
}

// raisePause is how long a container waits from one raise of the host's settings to the next.
const raisePause = 20 * time.Millisecond

// pacer lets pass once in [raisePause].
type pacer struct {
	mu   sync.Mutex
	next time.Time
}

func (p *pacer) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	time.Sleep(time.Until(p.next))
	p.next = time.Now().Add(raisePause)
}
