package pseudofs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// conn is a connection to the kernel's FUSE. go-fuse's own server blocks two to
// seventeen threads in read(2) for each connection; this one leaves waiting to the
// runtime's poller, and has buffers only while there is a request.
type conn struct {
	fs    *FS
	dev   *os.File
	raw   syscall.RawConn
	proto *fuse.ProtocolServer
	wg    sync.WaitGroup
	ended atomic.Bool // by whoever closes it
}

// workers is how many requests of one file system are handled at once. More would only
// let one container take more of the host.
const workers = 3

// bufferSize holds the largest request and the largest answer: a page, and what comes
// before it. It is the least that the kernel lets one read with (FUSE_MIN_READ_BUFFER).
const bufferSize = 8192

// buffers are for one request and its answer each; all connections share them.
var buffers = sync.Pool{New: func() any { return new([2][bufferSize]byte) }}

// connect makes a connection of one that has been mounted.
func connect(f *FS, mounted *os.File) (*conn, error) {
	dev, err := linux.Polled(mounted)
	if err != nil {
		return nil, err
	}
	raw, err := dev.SyscallConn()
	if err != nil {
		dev.Close()
		return nil, err
	}
	c := &conn{fs: f, dev: dev, raw: raw}
	c.proto = fuse.NewProtocolServer(&ops{RawFileSystem: fuse.NewDefaultRawFileSystem(), fs: f}, &fuse.MountOptions{
		Name:          "eci",
		MaxWrite:      pageSize,
		MaxReadAhead:  pageSize,
		MaxBackground: workers,
		DisableXAttrs: true,
		Logger:        log.New(logWriter(f.Logf), "", 0),
		PanicHandler:  func(what any) fuse.Status { f.recovered(what); return fuse.EIO },
	})
	return c, nil
}

// serve begins to answer.
func (c *conn) serve() {
	for range workers {
		c.wg.Go(c.work)
	}
}

// work answers until there is nothing more to come. A goroutine that ends before, with its
// thread, is replaced.
func (c *conn) work() {
	done := false
	defer func() {
		if !done {
			c.wg.Go(c.work)
		}
	}()
	for c.step() {
	}
	done = true
}

// Close ends the connection, which ended should say before the last mount goes. The kernel
// fails what is asked of it afterwards.
func (c *conn) Close() error {
	c.ended.Store(true)
	err := c.dev.Close()
	c.wg.Wait()
	return err
}

// step waits for one request and answers it. It tells whether there may be another one.
func (c *conn) step() (more bool) {
	defer func() {
		if what := recover(); what != nil {
			c.fs.recovered(what)
			more = true
		}
	}()
	buf, n, err := c.read()
	if buf != nil {
		defer buffers.Put(buf)
	}
	switch {
	case errors.Is(err, unix.ENOENT): // the request was interrupted before it was read
		return true
	case errors.Is(err, unix.ENODEV), err != nil && c.ended.Load():
		return false
	case err != nil:
		c.fs.Logf("read a request for a pseudo-file: %v", err)
		return false
	}
	in, out := buf[0][:n], buf[1][:]
	size := c.handle(in, out)
	if size == 0 {
		return true // asks for no answer
	}
	// ENOENT: who asked has been interrupted.
	if err := c.write(out[:size]); err != nil && !errors.Is(err, unix.ENOENT) && !c.ended.Load() {
		c.fs.Logf("answer a request for a pseudo-file: %v", err)
	}
	return true
}

// opcodes of linux/fuse.h that go-fuse is not asked about.
const (
	opSetXAttr    = 21
	opRemoveXAttr = 24
	opInterrupt   = 36
)

// handle answers a request in out; 0 if it asks for no answer.
//
// There are no extended attributes: after ENOSYS the kernel does not ask again. The buffer
// would not hold what it asks for, up to 64 KiB. An interrupt that is answered is sent again,
// for ever; requests take too short to be interrupted.
func (c *conn) handle(in, out []byte) int {
	const header = 16
	if len(in) < 40 {
		return 0
	}
	refuse := func(status fuse.Status) int {
		binary.NativeEndian.PutUint32(out, header)
		binary.NativeEndian.PutUint32(out[4:], uint32(-int32(status)))
		copy(out[8:header], in[8:])
		return header
	}
	switch op := binary.NativeEndian.Uint32(in[4:]); {
	case op == opInterrupt:
		return 0
	case opSetXAttr <= op && op <= opRemoveXAttr:
		return refuse(fuse.ENOSYS)
	}
	size, status := c.proto.HandleRequest([][]byte{in}, [][]byte{out})
	if size == 0 && !status.Ok() {
		return refuse(status)
	}
	return size
}

// read waits for a request. It takes a buffer only when there is one.
func (c *conn) read() (buf *[2][bufferSize]byte, n int, err error) {
	cerr := c.raw.Read(func(fd uintptr) bool {
		buf = buffers.Get().(*[2][bufferSize]byte)
		for {
			n, err = unix.Read(int(fd), buf[0][:])
			if err != unix.EINTR {
				break
			}
		}
		if err == unix.EAGAIN {
			buffers.Put(buf)
			buf = nil
			return false
		}
		return true
	})
	if cerr != nil {
		return buf, 0, cerr
	}
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	return buf, n, err
}

func (c *conn) write(answer []byte) error {
	var err error
	cerr := c.raw.Control(func(fd uintptr) {
		for {
			if _, err = unix.Write(int(fd), answer); err != unix.EINTR {
				return
			}
		}
	})
	return errors.Join(cerr, err)
}

// logWriter lets go-fuse write its log with a function.
type logWriter func(format string, args ...any)

func (w logWriter) Write(line []byte) (int, error) {
	w("go-fuse: %s", bytes.TrimSpace(line))
	return len(line), nil
}
