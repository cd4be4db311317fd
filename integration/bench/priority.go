package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/eci-runtime/eci/integration/testbed"
	"golang.org/x/sys/unix"
)

// raise gives every thread of this process a nice value, which all that it starts
// inherit: containerd, shims and containers. Beside work of the usual priority both
// runtimes then run nearly as if they were alone.
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

// favour gives the containers' cgroup the largest share of the processors, since
// inside a cgroup nice values count among its own processes only. The cgroup is
// there from the first container on, which this runs.
func (b *bench) favour(ctx context.Context) error {
	if _, err := b.bed.Run(ctx, testbed.Container{Runtime: b.sides[0].Runtime, Image: imageName}); err != nil {
		return err
	}
	for _, dir := range testbed.CgroupDirs(b.bed.Cgroup()) {
		for name, most := range map[string]string{"cpu.shares": "262144", "cpu.weight": "10000"} {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
			if errors.Is(err, os.ErrNotExist) {
				continue // the other version, or another controller
			}
			if err != nil {
				return err
			}
			_, err = f.WriteString(most)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
		}
	}
	return nil
}
