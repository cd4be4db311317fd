package testbed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is one process of the host.
type Process struct {
	Pid  int
	Args []string
}

func (p Process) String() string {
	return fmt.Sprintf("process %d: %s", p.Pid, strings.Join(p.Args, " "))
}

// Processes returns the processes that belong to the bed, beside containerd
// itself: its shims, by the address in their arguments, what was started with a
// path of the bed, and everything in the bed's cgroups.
func (d *Daemon) Processes() ([]Process, error) {
	pids, err := hostPids()
	if err != nil {
		return nil, err
	}
	inside := cgroupPids(d.Cgroup())
	var found []Process
	for _, pid := range pids {
		args := arguments(pid)
		if pid == os.Getpid() || (d.cmd != nil && d.cmd.Process != nil && pid == d.Pid()) {
			continue
		}
		ours := slices.ContainsFunc(args, func(arg string) bool {
			return arg == d.Address || strings.HasPrefix(arg, d.Dir+"/")
		})
		if ours || slices.Contains(inside, pid) {
			found = append(found, Process{Pid: pid, Args: args})
		}
	}
	return found, nil
}

// Shims returns the shims of the bed, those of the container id only unless id
// is empty. The short-lived "start" and "delete" are not among them.
func (d *Daemon) Shims(id string) ([]Process, error) {
	all, err := d.Processes()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p Process) bool {
		isShim := len(p.Args) > 0 && strings.HasPrefix(filepath.Base(p.Args[0]), "containerd-shim-") &&
			!slices.Contains(p.Args, "start") && !slices.Contains(p.Args, "delete")
		return !isShim || (id != "" && flagValue(p.Args, "-id") != id)
	}), nil
}

func flagValue(args []string, name string) string {
	if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

func hostPids() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// arguments returns the command line of a process; none for a kernel thread, a
// zombie, or a process that has gone meanwhile.
func arguments(pid int) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(data) == 0 {
		return nil
	}
	return strings.Split(string(bytes.TrimRight(data, "\x00")), "\x00")
}

// Kill9 kills a process and waits until it has ended.
func Kill9(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	return waitPidfd(fd, pid)
}

// waitPidfd waits for the end of a process, which makes its pidfd readable.
func waitPidfd(fd, pid int) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 1000)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end: %w", pid, ctx.Err())
}

// Descriptors is the number of open file descriptors of containerd.
func (d *Daemon) Descriptors() (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.Pid()))
	return len(entries), err
}
