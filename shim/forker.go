package shim

import (
	"os/exec"
	"runtime"

	"github.com/containerd/go-runc"
)

// forker starts processes from one thread that lives as long as the shim. runc is to die
// with its parent (prctl(2), PR_SET_PDEATHSIG), and to the kernel that is the thread that
// forked it: on any other thread, it could be killed because the goroutine of some other
// container's creation took that thread for its own, and ended it (linux.OnThread).
type forker struct {
	runc.ProcessMonitor
	work chan func()
}

func newForker(m runc.ProcessMonitor) forker {
	f := forker{m, make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocks it
		for do := range f.work {
			do()
		}
	}()
	return f
}

// Start starts a command on the thread.
func (f forker) Start(cmd *exec.Cmd) (exits chan runc.Exit, err error) {
	done := make(chan struct{})
	f.work <- func() {
		defer close(done)
		exits, err = f.ProcessMonitor.Start(cmd)
	}
	<-done
	return exits, err
}

// StartLocked is Start: the thread is locked already.
func (f forker) StartLocked(cmd *exec.Cmd) (chan runc.Exit, error) { return f.Start(cmd) }
