package main

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	segment = 64 << 10 // one write to the stream, bytes
	mebi    = 1 << 20
)

// tcpRoundTrip sends one byte over the loopback and waits for it to come back.
func tcpRoundTrip() (repeat, error) {
	fd, peer, err := connect(func(peer int) {
		buf := make([]byte, 1)
		for all(unix.Read, peer, buf) == nil && all(unix.Write, peer, buf) == nil {
		}
	})
	buf := make([]byte, 1)
	return func(n int) error {
		free, err := gather(peer)
		if err != nil {
			return err
		}
		defer free()
		for range n {
			if err := all(unix.Write, fd, buf); err != nil {
				return err
			}
			if err := all(unix.Read, fd, buf); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// tcpStream sends MiBs over the loopback. The peer acknowledges each with a byte,
// which is waited for at the end: the time is that of arrival.
func tcpStream() (repeat, error) {
	fd, peer, err := connect(func(peer int) {
		buf := make([]byte, segment)
		for arrived := 0; ; {
			n, err := unix.Read(peer, buf)
			if n <= 0 || err != nil {
				return
			}
			for arrived += n; arrived >= mebi; arrived -= mebi {
				_ = all(unix.Write, peer, buf[:1])
			}
		}
	})
	buf := make([]byte, segment)
	return func(n int) error {
		free, err := gather(peer)
		if err != nil {
			return err
		}
		defer free()
		for range n * (mebi / segment) {
			if err := all(unix.Write, fd, buf); err != nil {
				return err
			}
		}
		for range n {
			if err := all(unix.Read, fd, buf[:1]); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// connect makes a connection over the loopback, whose other end serve gets, on a
// thread of its own, peer. Both ends block: Go's poller would add its own time.
func connect(serve func(end int)) (fd, peer int, err error) {
	fd, end, err := pair()
	if err != nil {
		return -1, 0, err
	}
	started := make(chan int)
	go func() {
		runtime.LockOSThread()
		started <- unix.Gettid()
		serve(end)
	}()
	return fd, <-started, nil
}

// pair returns the ends of a TCP connection.
func pair() (client, server int, err error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return -1, -1, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(listener, 1); err != nil {
		return -1, -1, fmt.Errorf("listen: %w", err)
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return -1, -1, fmt.Errorf("getsockname: %w", err)
	}
	if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, -1, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(client, address); err != nil {
		return -1, -1, fmt.Errorf("connect: %w", err)
	}
	if server, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
		return -1, -1, fmt.Errorf("accept: %w", err)
	}
	for _, end := range []int{client, server} {
		if err := unix.SetsockoptInt(end, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return -1, -1, fmt.Errorf("TCP_NODELAY: %w", err)
		}
	}
	return client, server, nil
}

// gather puts this thread and peer on one processor, the last that they may use,
// until free is called: whether the two ends share a processor is the scheduler's
// whim, and matters more than all that is to be measured.
func gather(peer int) (free func(), err error) {
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	for cpu, left := 0, before.Count(); left > 0; cpu++ {
		if before.IsSet(cpu) {
			one.Zero()
			one.Set(cpu)
			left--
		}
	}
	for _, thread := range []int{0, peer} {
		if err := unix.SchedSetaffinity(thread, &one); err != nil {
			return nil, fmt.Errorf("sched_setaffinity: %w", err)
		}
	}
	return func() { _ = unix.SchedSetaffinity(0, &before) }, nil
}

// all repeats a read or write until the whole buffer is done.
func all(call func(int, []byte) (int, error), fd int, buf []byte) error {
	for len(buf) > 0 {
		n, err := call(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return unix.EPIPE
		}
		buf = buf[n:]
	}
	return nil
}
