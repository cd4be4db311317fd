package main

import (
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// race has one thread remount, writable, the path in a buffer, while another
// swaps that path between a mount of our own and the protected one. A runtime
// that reads the path, approves it and lets the call go on loses this.
func race(path string, rounds int) attempt.Attempt {
	result := attempt.Attempt{Name: "race"}
	own, err := os.MkdirTemp("/dev/shm", "race-")
	if err == nil {
		err = unix.Mount("race", own, "tmpfs", 0, "size=64k")
	}
	if err != nil {
		result.Errno = errno(err)
		return result
	}
	defer os.Remove(own)
	defer unix.Unmount(own, unix.MNT_DETACH)

	buffer := make([]byte, max(len(own), len(path))+1)
	var done atomic.Bool
	swapped := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(swapped)
		for !done.Load() {
			put(buffer, path)
			put(buffer, own)
		}
	}()
	// On a busy machine the other thread may not run for a while; rounds in which
	// it did nothing are none.
	remounted := 0
	for round := 0; round < rounds || (remounted < rounds/30 && round < 1000*rounds); round++ {
		_, _, e := unix.Syscall6(unix.SYS_MOUNT, uintptr(unsafe.Pointer(cString("none"))), uintptr(unsafe.Pointer(&buffer[0])),
			0, unix.MS_REMOUNT|unix.MS_BIND, 0, 0)
		if e == 0 {
			remounted++
		}
		var st unix.Statfs_t
		if err := unix.Statfs(path, &st); err == nil && st.Flags&unix.ST_RDONLY == 0 {
			result.Effect = true
			break
		}
	}
	done.Store(true)
	<-swapped
	if remounted < rounds/30 {
		result.Errno = "the threads did not race"
	}
	result.Effect = result.Effect || written(path)
	return result
}

// put overwrites the buffer as C would: bytes, then NUL. The data race is the point.
//
//go:norace
func put(buffer []byte, path string) {
	copy(buffer, path)
	buffer[len(path)] = 0
}
