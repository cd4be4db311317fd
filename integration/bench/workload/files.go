package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	small    = 4 << 10   // one random access, bytes
	chunk    = 128 << 10 // one sequential access, bytes
	fileSize = 8 << 20   // of the file that is read and written, bytes
)

// transfer is pread(2) or pwrite(2).
type transfer func(fd int, p []byte, offset int64) (int, error)

var (
	read  transfer = unix.Pread
	write transfer = unix.Pwrite
)

func read4k() (repeat, error)  { return at(rootDir, read, small, []int64{0}) }
func write4k() (repeat, error) { return at(rootDir, write, small, []int64{0}) }

// sequential goes through a file in chunks, and starts again at its end.
func sequential(dir string, t transfer) func() (repeat, error) {
	var offsets []int64
	for o := int64(0); o < fileSize; o += chunk {
		offsets = append(offsets, o)
	}
	return func() (repeat, error) { return at(dir, t, chunk, offsets) }
}

// random visits every block of a file in an order that is the same in every run.
func random(dir string, t transfer) func() (repeat, error) {
	var offsets []int64
	for _, block := range rand.New(rand.NewPCG(1, 2)).Perm(fileSize / small) {
		offsets = append(offsets, int64(block)*small)
	}
	return func() (repeat, error) { return at(dir, t, small, offsets) }
}

// at transfers size bytes at each offset in turn. The file exists in full before,
// so that no operation allocates or, on a disk's file system, extends it.
func at(dir string, t transfer, size int, offsets []int64) (repeat, error) {
	fd, err := wholeFile(filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	buf := make([]byte, size)
	next := 0
	return func(n int) error {
		for range n {
			got, err := t(fd, buf, offsets[next])
			if err != nil {
				return err
			}
			if got != size {
				return fmt.Errorf("transferred %d of %d bytes: %w", got, size, io.ErrShortWrite)
			}
			if next++; next == len(offsets) {
				next = 0
			}
		}
		return nil
	}, nil
}

// wholeFile opens the file at path and fills it, unless another operation did.
func wholeFile(path string) (int, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return -1, err
	}
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size == fileSize {
		return fd, err
	}
	for offset := int64(0); offset < fileSize; offset += chunk {
		if _, err := unix.Pwrite(fd, make([]byte, chunk), offset); err != nil {
			return -1, &os.PathError{Op: "write", Path: path, Err: err}
		}
	}
	return fd, nil
}
