package pseudofs

import (
	"bytes"
	"encoding/binary"
	"log"
	"os"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/eci-runtime/eci/internal/linux"
)

// conn is a connection to the kernel's FUSE. go-fuse's own server blocks two to
// seventeen threads in read(2) for each connection; this one has one, which reads, writes and
// does nothing else. It alone has the connection open ([linux.OnOwnTable]): a process that is
// killed takes it along, even if others of its threads wait for an answer of ours.
type conn struct {
	fs       *FS
	proto    *fuse.ProtocolServer
	wake     *os.File // an eventfd: there is something to write, or this is the end
	requests chan *exchange
	wg       sync.WaitGroup
	ended    atomic.Bool // by whoever closes it

	mu  sync.Mutex
	out []*exchange // to be written, in this order
}

// exchange is a request and its answer.
type exchange struct {
	in, out [bufferSize]byte
	n, size int  // the bytes used of each; size 0: there is no answer
	notice  bool // not an answer, but what the kernel is told unasked
}

// workers is how many requests of one file system are handled at once. More would only
// let one container take more of the host.
const workers = 3

// bufferSize holds the largest request and the largest answer: a page, and what comes
// before it. It is the least that the kernel lets one read with (FUSE_MIN_READ_BUFFER).
const bufferSize = 8192

// exchanges are used again; all connections share them.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// connect serves a connection of a file system that has been mounted, as f.conn.
func connect(f *FS, dev *os.File) error {
	wake, err := linux.NewEvent()
	if err != nil {
		return err
	}
	c := &conn{fs: f, wake: wake, requests: make(chan *exchange, workers)}
	c.proto = fuse.NewProtocolServer(&ops{RawFileSystem: fuse.NewDefaultRawFileSystem(), fs: f}, &fuse.MountOptions{
		Name:          "eci",
		MaxWrite:      pageSize,
		MaxReadAhead:  pageSize,
		MaxBackground: workers,
		DisableXAttrs: true,
		Logger:        log.New(logWriter(f.Logf), "", 0),
		PanicHandler:  func(what any) fuse.Status { f.recovered(what); return fuse.EIO },
	})
	f.conn = c
	c.wg.Add(1)
	err = linux.OnOwnTable(func(fds []int) {
		defer c.wg.Done()
		c.pass(fds[0], fds[1])
	}, dev, wake)
	if err != nil {
		c.wg.Done()
		wake.Close()
		return err
	}
	for range workers {
		c.wg.Go(c.work)
	}
	return nil
}

// Close ends the connection, which ended should say before the last mount goes. The kernel
// fails what is asked of it afterwards.
func (c *conn) Close() error {
	c.ended.Store(true)
	linux.Signal(c.wake)
	c.wg.Wait()
	return c.wake.Close()
}

// work handles requests until there is nothing more to come. A goroutine that ends before,
// with its thread, is replaced.
func (c *conn) work() {
	done := false
	defer func() {
		if !done {
			c.wg.Go(c.work)
		}
	}()
	for x := range c.requests {
		c.answer(x)
	}
	done = true
}

// answer handles a request and gives it back, whatever happens: who waits for an answer cannot be
// killed. A goroutine that ends in it (runtime.Goexit) answers EIO, as one that panics.
func (c *conn) answer(x *exchange) {
	done := false
	defer c.send(x)
	defer func() {
		if what := recover(); what != nil {
			c.fs.recovered(what)
		}
		if !done {
			x.size = refuse(x.in[:], x.out[:], fuse.EIO)
		}
	}()
	x.size = c.handle(x.in[:x.n], x.out[:])
	done = true
}

// refuse answers a request with an error, and tells the size of the answer.
func refuse(in, out []byte, status fuse.Status) int {
	const header = 16
	binary.NativeEndian.PutUint32(out, header)
	binary.NativeEndian.PutUint32(out[4:], uint32(-int32(status)))
	copy(out[8:header], in[8:])
	return header
}

// send has an exchange written.
func (c *conn) send(x *exchange) {
	c.mu.Lock()
	c.out = append(c.out, x)
	first := len(c.out) == 1
	c.mu.Unlock()
	if first {
		linux.Signal(c.wake)
	}
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
	if len(in) < 40 {
		return 0
	}
	switch op := binary.NativeEndian.Uint32(in[4:]); {
	case op == opInterrupt:
		return 0
	case opSetXAttr <= op && op <= opRemoveXAttr:
		return refuse(in, out, fuse.ENOSYS)
	}
	size, status := c.proto.HandleRequest([][]byte{in}, [][]byte{out})
	if size == 0 && !status.Ok() {
		return refuse(in, out, status)
	}
	return size
}

// logWriter lets go-fuse write its log with a function.
type logWriter func(format string, args ...any)

func (w logWriter) Write(line []byte) (int, error) {
	w("go-fuse: %s", bytes.TrimSpace(line))
	return len(line), nil
}
