package seccomp

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/eci-runtime/eci/internal/linux"
)

// recent are calls that were performed a moment ago, and answered. A signal that comes at the
// very moment of the answer makes the kernel drop it and repeat the call, and the agent is not
// told. So where the same thread makes the same call again, and what it had done is still there,
// it is taken for that, and has the same answer. Filters with
// SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ([Config.OnlyKilled]) need none of this.
type recent struct {
	some  atomic.Bool // there may be one
	mu    sync.Mutex
	calls [8]performed
	next  int
}

// performed is a call, and how to tell whether what it did is still there.
type performed struct {
	call  linux.Notification
	when  time.Time
	still func(*request) bool
}

// soon is how much later a call can be a repeated one: a handler runs in between.
const soon = 100 * time.Millisecond

// add remembers a call.
func (p *recent) add(n linux.Notification, still func(*request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.ID = 0 // which a repeated one has not in common
	p.calls[p.next] = performed{n, time.Now(), still}
	p.next = (p.next + 1) % len(p.calls)
	p.some.Store(true)
}

// repeated is the answer to a call that was performed already.
func (p *recent) repeated(n linux.Notification, r *request) (a answer, ok bool) {
	if !p.some.Load() {
		return answer{}, false
	}
	n.ID = 0
	still := p.take(n)
	if still == nil || !still(r) {
		return answer{}, false
	}
	a = value(0)
	a.still = still // it may be dropped once more
	return a, true
}

// take forgets a call.
func (p *recent) take(n linux.Notification) (still func(*request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := false
	for i := range p.calls {
		c := &p.calls[i]
		switch {
		case c.still == nil:
		case time.Since(c.when) > soon:
			*c = performed{}
		case c.call == n:
			still = c.still
			*c = performed{}
		default:
			left = true
		}
	}
	p.some.Store(left)
	return still
}
