package testbed

import (
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// makeNetwork makes the network namespace of a bed with a bridge. Whatever its plug-ins
// and its clients do to a network and to its settings goes with the bed.
func (d *Daemon) makeNetwork() error {
	if !d.opts.Bridge {
		return nil
	}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		var err error
		d.netns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return err
	}
	return d.InNetwork(exec.Command("ip", "link", "set", "lo", "up").Run)
}

// enterNetwork has this thread, which is locked, join containerd's network namespace.
func (d *Daemon) enterNetwork() error {
	if d.netns == nil {
		return nil
	}
	return os.NewSyscallError("setns", unix.Setns(int(d.netns.Fd()), unix.CLONE_NEWNET))
}

// InNetwork calls fn on a thread in containerd's network namespace. Programs that it
// starts are in it, too.
func (d *Daemon) InNetwork(fn func() error) error {
	return onThread(func() error {
		if err := d.enterNetwork(); err != nil {
			return err
		}
		return fn()
	})
}

// onThread calls fn on a thread that ends with it.
func onThread(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- fn()
	}()
	return <-done
}
