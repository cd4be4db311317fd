package seccomp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/eci-runtime/eci/internal/linux"
)

// Config is a container for its agent.
type Config struct {
	// Path is where runc sends the listeners of the container's processes to: a unix socket
	// that the agent makes.
	Path string

	// Files makes instances of proc and sysfs.
	Files Files

	// Sysinfo are the numbers of the container.
	Sysinfo func() (Sysinfo, error)

	// CPUs are the processors that the container may see, and whether a quota has made them
	// fewer than those that it may run on.
	CPUs func() (cpus []int, narrowed bool, err error)

	// Devices are those of which nodes may be made.
	Devices []Device

	// FileSystems are the device numbers of the file systems on which they may be made.
	FileSystems []uint64

	// IDs are the host IDs of the container.
	IDs Range

	// OnlyKilled tells that the filter has SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19):
	// no caller is interrupted by a signal that does not kill it. It saves a copy of each proc
	// and sysfs that is unmounted.
	OnlyKilled bool

	// Logf is told what goes wrong.
	Logf func(format string, args ...any)
}

// Files are the pseudo-files of a container.
type Files interface {
	// Instance puts the pseudo-files over a detached mount of a new proc or sysfs, and
	// gives the tree. Directories that are served as a whole are left out where plain is set.
	Instance(mount *os.File, fstype string, plain bool) (*os.File, error)

	// Dev is the device number of the pseudo-files.
	Dev() uint64
}

// Device is what a node leads to.
type Device struct {
	Type         byte   // 'c' or 'b'
	Major, Minor uint32 // its numbers
}

// Range is Size host IDs from Base on, which are the container's 0 and following.
type Range struct {
	Base, Size uint32 // host IDs
}

// Agent answers for one container.
type Agent struct {
	socket *net.UnixListener
	c      *container

	mu        sync.Mutex
	closed    bool
	listeners map[*linux.Listener]bool
}

// container is what requests look at.
type container struct {
	Config
	slots  chan struct{} // one for each request that is looked at
	inHand inHand
	recent recent
	lines  lines
	kept   kept
	models models
}

// parallel is how many requests of one container are looked at at the same time. The others
// wait, and so do the callers. A handler can hang, if a file system of the container does.
const parallel = 8

// logf logs, but not all that a container can make go wrong.
func (c *container) logf(format string, args ...any) {
	if c.Logf != nil && c.lines.allow(time.Now()) {
		c.Logf(format, args...)
	}
}

// Listen makes the socket, and answers whatever listeners are sent to it: `runc create` sends
// one, and each `runc exec` one more.
func Listen(c Config) (*Agent, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.Path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("the agent's socket: %w", err)
	}
	if err := os.Chmod(c.Path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	a := &Agent{socket: l, c: &container{Config: c, slots: make(chan struct{}, parallel)}, listeners: make(map[*linux.Listener]bool)}
	go a.accept()
	return a, nil
}

// Close removes the socket. Calls that wait for an answer fail with ENOSYS, and so does every
// later one of a process that is still alive. It waits for nobody.
func (a *Agent) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	for l := range a.listeners {
		_ = l.Close()
	}
	a.c.kept.close()
	a.c.models.close()
	return a.socket.Close()
}

func (a *Agent) accept() {
	for {
		conn, err := a.socket.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			a.c.logf("agent: %v", err)
			time.Sleep(100 * time.Millisecond) // EMFILE does not pass at once
			continue
		}
		go func() {
			defer conn.Close()
			if err := a.take(conn); err != nil {
				a.c.logf("agent: %v", err)
			}
		}()
	}
}

// take begins to answer what a listener asks.
func (a *Agent) take(conn *net.UnixConn) error {
	l, err := receive(conn)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return l.Close()
	}
	a.listeners[l] = true
	s := &server{agent: a, listener: l, all: 1}
	go s.serve()
	return nil
}

// forget is for a listener whose processes are gone.
func (a *Agent) forget(l *linux.Listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listeners[l] {
		delete(a.listeners, l)
		_ = l.Close()
	}
}
