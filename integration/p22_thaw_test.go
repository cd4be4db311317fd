package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP22_WhatHoldsItselfDies has a container keep its own init process from dying,
// with the cgroups that are delegated to it, and ends it by every way.
func TestP22_WhatHoldsItselfDies(t *testing.T) {
	needFreezer(t)
	d := bed(t)
	const freezeSelf = `mkdir /m && mount -t cgroup -o freezer cg /m && mkdir /m/x &&
		echo 1 >/m/x/cgroup.procs && echo frozen && echo FROZEN >/m/x/freezer.state; sleep 100000`
	for _, c := range []struct {
		name string
		kill func(*testing.T, *testbed.Task) error
	}{
		{"killed by the client", func(t *testing.T, task *testbed.Task) error {
			return task.Kill(deadline(t), unix.SIGKILL)
		}},
		{"after its shim was killed", func(t *testing.T, task *testbed.Task) error {
			shims, err := d.Shims(task.ID)
			if err != nil {
				return err
			}
			return testbed.Kill9(shims[0].Pid)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := start(t, d, testbed.Container{Args: []string{"sh", "-c", freezeSelf}, CapAdd: []string{"CAP_SYS_ADMIN"}})
			if _, err := task.Await(deadline(t), "frozen"); err != nil {
				t.Fatal(err)
			}
			pid := task.Pid()
			awaitState(t, pid, "D")
			if err := c.kill(t, task); err != nil {
				t.Fatal(err)
			}
			awaitGone(t, pid)
		})
	}
}

// TestP22_CgroupsBelowAreThawed does the same to a process that is not the init.
func TestP22_CgroupsBelowAreThawed(t *testing.T) {
	needFreezer(t)
	d := bed(t)
	task := start(t, d, testbed.Container{
		CapAdd: []string{"CAP_SYS_ADMIN"},
		Args: []string{"sh", "-c", `mkdir /m && mount -t cgroup -o freezer cg /m && mkdir -p /m/a/b || exit
			sleep 100000 &
			echo $! >/m/a/b/cgroup.procs && echo FROZEN >/m/a/b/freezer.state && echo frozen; sleep 100000`},
	})
	if _, err := task.Await(deadline(t), "frozen"); err != nil {
		t.Fatal(err)
	}
	pid := task.Pid()
	if err := task.Kill(deadline(t), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pid)
}

// awaitState waits until a process is in a state of proc_pid_status(5).
func awaitState(t *testing.T, pid int, state string) {
	t.Helper()
	for ctx := deadline(t); ctx.Err() == nil; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(rest, state) {
			return
		}
	}
	t.Fatalf("process %d did not get into state %s", pid, state)
}

// awaitGone waits until a process is no more.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for ctx := deadline(t); ctx.Err() == nil; {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/stat", pid)); os.IsNotExist(err) {
			return
		}
	}
	t.Fatalf("process %d is still there", pid)
}

func needFreezer(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/sys/fs/cgroup/freezer"); err != nil {
		t.Skip("needs cgroup v1 (no /sys/fs/cgroup/freezer): a frozen task of cgroup v2 dies of SIGKILL")
	}
}
