package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/eci-runtime/eci/integration/testbed"
	"golang.org/x/sys/unix"
)

// raise gives every thread of this process a nice value, which all that it starts
// inherit: containerd, shims and containers.
func raise(nice int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		// In Linux, unlike in POSIX, setpriority(2) is about a thread.
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, nice); err != nil && err != unix.ESRCH {
			return fmt.Errorf("take the nice value %d: %w (try -nice 0)", nice, err)
		}
	}
	return nil
}

// favour lets that value count. A nice value is one among the processes of a
// group: those of a session, if the kernel groups them (sched(7), "The autogroup
// feature"), and those of a cgroup. So the groups of the bed and of this process,
// which starts the clients, get a weight too. This one is given back by close.
func (b *bench) favour(ctx context.Context) error {
	before, err := regroup("self", b.opts.nice)
	if err != nil {
		return err
	}
	b.restore = func() error {
		_, err := regroup("self", before)
		return err
	}
	if _, err := regroup(strconv.Itoa(b.bed.Pid()), b.opts.nice); err != nil {
		return err
	}
	// The containers' cgroup is there from the first container on.
	if _, err := b.bed.Run(ctx, testbed.Container{Runtime: b.sides[0].Runtime, Image: imageName}); err != nil {
		return err
	}
	for _, dir := range testbed.CgroupDirs(b.bed.Cgroup()) {
		for name, most := range map[string]string{"cpu.shares": "262144", "cpu.weight": "10000"} {
			if err := writeExisting(filepath.Join(dir, name), most); err != nil {
				return err
			}
		}
	}
	return nil
}

// regroup sets the nice value of the session group of a process and returns what it
// was: 0 where the kernel has no such groups.
func regroup(pid string, nice int) (before int, err error) {
	path := filepath.Join("/proc", pid, "autogroup")
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, nil
	}
	// "/autogroup-57 nice 0"
	_, value, _ := strings.Cut(strings.TrimSpace(string(data)), " nice ")
	if before, err = strconv.Atoi(value); err != nil {
		return 0, nil // the process is in no group
	}
	return before, writeExisting(path, strconv.Itoa(nice))
}

// writeExisting writes to a file of the kernel, unless this kernel lacks it.
func writeExisting(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
