package main

import (
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// reading opens a file, reads it to its end and closes it.
func reading(path string) func() (repeat, error) {
	buf := make([]byte, 1<<16)
	return func() (repeat, error) {
		return func(n int) error {
			for range n {
				if err := readAll(path, buf); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

func readAll(path string, buf []byte) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for {
		n, err := unix.Read(fd, buf)
		if err != nil || n == 0 {
			_ = unix.Close(fd)
			return err
		}
	}
}

// readTree walks a directory and reads every file that it may.
func readTree(root string) func() (repeat, error) {
	buf := make([]byte, 1<<16)
	return func() (repeat, error) {
		return func(n int) error {
			for range n {
				err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
					if err == nil && d.Type().IsRegular() {
						_ = readAll(path, buf) // some are write-only, some refuse
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// rarely is an operation that is done only when some time has passed since the last one.
// The time between is not counted.
func rarely(pause time.Duration, prepare func() (repeat, error)) func() (repeat, error) {
	return func() (repeat, error) {
		do, err := prepare()
		return func(n int) error {
			for range n {
				idle(pause)
				if err := do(1); err != nil {
					return err
				}
			}
			return nil
		}, err
	}
}

// idled is the time that was slept since it was last taken.
var idled time.Duration

func idle(pause time.Duration) {
	start := time.Now()
	time.Sleep(pause)
	idled += time.Since(start)
}

func sysinfo() (repeat, error) {
	var info unix.Sysinfo_t
	return func(n int) error {
		for range n {
			if err := unix.Sysinfo(&info); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
