package pseudofs

import "golang.org/x/sys/unix"

// pass reads requests and writes answers until the connection ends, with the descriptors of the
// thread that it runs on, and with nothing else that has one.
func (c *conn) pass(dev, wake int) {
	defer close(c.requests)
	defer unix.Close(dev)
	if err := unix.SetNonblock(dev, true); err != nil {
		c.complain("wait for", err)
		return
	}
	busy := 0 // requests that are being handled
	for !c.ended.Load() {
		fds := [...]unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}, {Fd: int32(dev), Events: unix.POLLIN}}
		wait := fds[:]
		if busy == workers {
			wait = fds[:1]
		}
		if _, err := unix.Ppoll(wait, nil, nil); err != nil && err != unix.EINTR {
			c.complain("wait for", err)
			return
		}
		if fds[0].Revents != 0 {
			var count [8]byte
			_, _ = unix.Read(wake, count[:])
			busy -= c.write(dev)
		}
		if fds[1].Revents == 0 {
			continue
		}
		x := exchanges.Get().(*exchange)
		n, err := unix.Read(dev, x.in[:])
		if err == nil {
			x.n, x.notice = n, false
			busy++
			c.requests <- x
			continue
		}
		exchanges.Put(x)
		switch err {
		case unix.EINTR, unix.EAGAIN, unix.ENOENT: // the request was interrupted before it was read
		case unix.ENODEV:
			return
		default:
			c.complain("read", err)
			return
		}
	}
}

// write writes what there is to write, and tells how many requests that were.
func (c *conn) write(dev int) (answered int) {
	c.mu.Lock()
	out := c.out
	c.out = nil
	c.mu.Unlock()
	for _, x := range out {
		if x.size > 0 {
			// ENOENT: who asked has been interrupted, or the kernel has forgotten what it
			// is told of.
			if err := c.writeOne(dev, x.out[:x.size]); err != nil && err != unix.ENOENT {
				c.complain("answer", err)
			}
		}
		if !x.notice {
			answered++
		}
		exchanges.Put(x)
	}
	return answered
}

func (c *conn) writeOne(dev int, b []byte) error {
	for {
		if _, err := unix.Write(dev, b); err != unix.EINTR {
			return err
		}
	}
}

// complain logs a failure, not on this thread: the log is a file of the process.
func (c *conn) complain(verb string, err error) {
	if !c.ended.Load() {
		go c.fs.Logf("%s a request for a pseudo-file: %v", verb, err)
	}
}
