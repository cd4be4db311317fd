package broker

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is the most that a pipe may hold without a privilege, as
// /proc/sys/fs/pipe-max-size has it where nobody has changed it (pipe(7)).
const pipeSize = 1 << 20

// splice copies from one socket to another until the first one ends, through a pipe
// and not through this process: splice(2). Between unix sockets package net does it
// for none (Go 1.26).
func splice(to, from *net.UnixConn) error {
	source, err := from.SyscallConn()
	if err != nil {
		return err
	}
	sink, err := to.SyscallConn()
	if err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return copyAll(to, from)
	}
	defer out.Close()
	defer in.Close()
	// Without it the pipe is smaller, and copying slower.
	_, _ = unix.FcntlInt(in.Fd(), unix.F_SETPIPE_SZ, pipeSize)
	r, w := int(out.Fd()), int(in.Fd())
	for {
		n, err := move(source.Read, func(fd int) (int64, error) { return unix.Splice(fd, nil, w, nil, pipeSize, flags) })
		if n == 0 || err != nil {
			return err
		}
		for n > 0 {
			m, err := move(sink.Write, func(fd int) (int64, error) { return unix.Splice(r, nil, fd, nil, int(n), flags) })
			if err != nil {
				return err
			}
			n -= m
		}
	}
}

const flags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK

// move calls splice on a socket when that is ready.
func move(when func(func(uintptr) bool) error, call func(fd int) (int64, error)) (n int64, err error) {
	werr := when(func(fd uintptr) bool {
		for {
			n, err = call(int(fd))
			if !errors.Is(err, syscall.EINTR) {
				return !errors.Is(err, syscall.EAGAIN)
			}
		}
	})
	if werr != nil {
		return 0, werr
	}
	return n, err
}

// copyAll is splice where there is no pipe left.
func copyAll(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	return err
}
