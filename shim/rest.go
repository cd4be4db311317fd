package shim

import (
	"runtime/debug"
	"sync"
	"time"
)

// restTimer gives memory back to the host when the shim has come to rest: what it took to
// create a container is no longer needed, and most shims live long and do nothing.
type restTimer struct {
	once  sync.Once
	timer *time.Timer
}

// restAfter is long against what a container needs to start, and to end if it is short.
const restAfter = time.Second

// again begins to wait, or begins anew.
func (r *restTimer) again() {
	r.once.Do(func() { r.timer = time.AfterFunc(restAfter, debug.FreeOSMemory) })
	r.timer.Reset(restAfter)
}
