package linux

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestThreadOf: the first process of a pid namespace is found by the number 1.
func TestThreadOf(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() { _, _ = stdin.Close(), cmd.Wait() }()
	ns, err := OpenNS(cmd.Process.Pid, "pid")
	must(t, err)
	defer ns.Close()
	tid, err := ThreadOf(ns, 1)
	if errors.Is(err, unix.ENOTTY) {
		t.Skip("needs Linux 6.11:", err)
	}
	if err != nil || tid != cmd.Process.Pid {
		t.Errorf("%d, %v, not %d", tid, err, cmd.Process.Pid)
	}
	for _, absent := range []int{2, -1, os.Getpid() + 1<<20} {
		if tid, err := ThreadOf(ns, absent); !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOTTY) {
			t.Errorf("thread %d: %d, %v", absent, tid, err)
		}
	}
}
