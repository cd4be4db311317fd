package seccomp

import (
	"testing"
	"time"

	"github.com/eci-runtime/eci/internal/linux"
)

// TestRecent: only the same call of the same thread is a repeated one, soon, while what it did is
// still there, and once for each time that it was performed.
func TestRecent(t *testing.T) {
	yes, no := func(*request) bool { return true }, func(*request) bool { return false }
	call := linux.Notification{ID: 1, PID: 7, NR: 165, Args: [6]uint64{1, 2, 3}, IP: 99}
	var p recent
	ask := func(n linux.Notification) bool {
		n.ID = 2
		a, ok := p.repeated(n, nil)
		if ok && (a.kind != kindValue || a.value != 0 || a.still == nil) {
			t.Errorf("%+v", a)
		}
		return ok
	}
	if ask(call) {
		t.Error("nothing was performed")
	}
	p.add(call, yes)
	for _, change := range []func(*linux.Notification){
		func(n *linux.Notification) { n.PID++ },
		func(n *linux.Notification) { n.NR++ },
		func(n *linux.Notification) { n.Args[5]++ },
		func(n *linux.Notification) { n.IP++ },
		func(n *linux.Notification) { n.Arch++ },
	} {
		other := call
		change(&other)
		if ask(other) {
			t.Errorf("%+v", other)
		}
	}
	if !ask(call) || ask(call) || p.some.Load() {
		t.Error("once")
	}
	p.add(call, no)
	if ask(call) {
		t.Error("what it did is not there any more")
	}
	p.add(call, yes)
	p.calls[(p.next+len(p.calls)-1)%len(p.calls)].when = time.Now().Add(-2 * soon)
	if ask(call) || p.some.Load() {
		t.Error("long ago")
	}
}
