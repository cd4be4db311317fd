package main

import (
	"fmt"
	"os"
	"strconv"

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
