package pseudofs

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/eci-runtime/eci/internal/linux"
)

// errStranded: a thread cannot go back to its own network namespace; whatever it did
// next would be done in the container's.
var errStranded = errors.New("leave a network namespace")

// visit calls fn in the network namespace of process pid, a number of the host, on the thread
// of the calling goroutine. A thread that cannot come back ends, and so does the goroutine: its
// request is not answered, and somebody else goes on ([conn.work]).
func visit(pid uint32, fn func(ns uint64) error) (err error) {
	runtime.LockOSThread()
	home := true
	defer func() {
		if !home {
			runtime.Goexit() // still locked
		}
		runtime.UnlockOSThread()
	}()
	err = inNetNS(pid, fn)
	home = !errors.Is(err, errStranded)
	return err
}

// inNetNS calls fn on the calling thread in the network namespace of process pid, and
// takes the thread back.
func inNetNS(pid uint32, fn func(ns uint64) error) (err error) {
	if pid == 0 {
		return os.ErrProcessDone // of another pid namespace
	}
	ns, err := linux.OpenNS(int(pid), "net")
	if err != nil {
		return err
	}
	defer ns.Close()
	st, err := linux.StatFile(ns)
	if err != nil {
		return err
	}
	return enterNetNS(ns, func() error { return fn(st.Ino) })
}

// enterNetNS calls fn on the calling thread in a network namespace. errStranded: the thread
// must not be used any more.
func enterNetNS(ns *os.File, fn func() error) (err error) {
	own, err := linux.OpenNS(0, "net")
	if err != nil {
		return err
	}
	defer own.Close()
	if err := linux.EnterNetNS(ns); err != nil {
		return err
	}
	defer func() {
		if back := linux.EnterNetNS(own); back != nil {
			err = fmt.Errorf("%w: %w", errStranded, back)
		}
	}()
	return fn()
}
