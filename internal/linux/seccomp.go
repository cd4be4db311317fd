package linux

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notification is a system call of a filtered task that waits for an answer: struct
// seccomp_notif, seccomp_unotify(2).
type Notification struct {
	ID    uint64 // of the notification, for the answer
	PID   uint32 // of the thread, in the pid namespace of whoever opened the listener
	flags uint32
	NR    int32     // number of the call
	Arch  uint32    // AUDIT_ARCH_*
	IP    uint64    // instruction pointer
	Args  [6]uint64 // of the call; those of 32-bit callers with zeros in front
}

// Response answers a notification: struct seccomp_notif_resp.
type Response struct {
	ID    uint64 // of the notification
	Value int64  // that the call returns
	Errno int32  // negative, or 0
	Flags uint32 // Continue, or 0
}

// seccompAddFD is struct seccomp_notif_addfd.
type seccompAddFD struct {
	id                              uint64
	flags, srcFD, newFD, newFDFlags uint32
}

// ioctls of a listener, linux/seccomp.h.
const (
	seccompRecv     = 0xc0502100
	seccompSend     = 0xc0182101
	seccompValid    = 0x40082102
	seccompAdd      = 0x40182103
	seccompSetFlags = 0x40082104

	seccompSyncWakeUp = 1 // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
	seccompContinue   = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// Continue is the flag of a [Response] by which the kernel performs the call.
const Continue = seccompContinue

// Listener is a seccomp listener, SECCOMP_FILTER_FLAG_NEW_LISTENER.
type Listener struct {
	file, end *os.File // end becomes readable when Close is called
	raw       syscall.RawConn
	rawEnd    syscall.RawConn
	closed    atomic.Bool
}

// NewListener takes over the descriptor of a listener. Where the kernel can (Linux 6.6),
// notifications and answers wake the other side on the same processor.
func NewListener(f *os.File) (*Listener, error) {
	end, err := NewEvent()
	if err != nil {
		return nil, err
	}
	l := &Listener{end: end}
	l.file, err = Duplicate(f)
	if err != nil {
		end.Close()
		return nil, err
	}
	f.Close()
	l.raw, _ = l.file.SyscallConn() // fails for nil only
	l.rawEnd, _ = l.end.SyscallConn()
	return l, l.raw.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), seccompSetFlags, seccompSyncWakeUp) })
}

// Receive waits for a notification. The thread waits in the kernel, not in the runtime's
// poller: the caller waits for the answer, and two changes of threads are what that would
// take. [os.ErrClosed] after Close, or when nobody has the filter any more; ENOENT when the caller
// has gone meanwhile. Only one goroutine may wait.
func (l *Listener) Receive() (n Notification, err error) {
	err = os.ErrClosed
	_ = l.raw.Control(func(fd uintptr) {
		_ = l.rawEnd.Control(func(end uintptr) {
			if err = l.wait(int32(fd), int32(end)); err == nil {
				err = ioctl(fd, seccompRecv, unsafe.Pointer(&n)) // n is zero, as the kernel wants it
			}
		})
	})
	return n, err
}

// wait waits until there is something to receive.
func (l *Listener) wait(fd, end int32) error {
	fds := [2]unix.PollFd{{Fd: fd, Events: unix.POLLIN}, {Fd: end, Events: unix.POLLIN}}
	for !l.closed.Load() {
		if _, err := unix.Poll(fds[:], -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		switch {
		case fds[1].Revents != 0:
		case fds[0].Revents&unix.POLLIN != 0:
			return nil
		case fds[0].Revents&unix.POLLERR != 0: // a signal came while it looked
		case fds[0].Revents&unix.POLLHUP != 0:
			return os.ErrClosed
		}
	}
	return os.ErrClosed
}

// Respond answers a notification. ENOENT: the caller is not waiting any more, since it was
// killed, or a signal has interrupted the call.
func (l *Listener) Respond(r Response) error {
	return l.control(seccompSend, unsafe.Pointer(&r))
}

// Waits tells whether the caller of a notification still waits for the answer.
func (l *Listener) Waits(id uint64) bool {
	return l.control(seccompValid, unsafe.Pointer(&id)) == nil
}

// Give gives the caller of a notification a descriptor of f, whose number it returns; the call
// still has to be answered. EBADF: f is O_PATH, as what open_tree(2) makes; EMFILE: the caller
// has as many as it may. Linux 5.9.
func (l *Listener) Give(id uint64, f *os.File, cloexec bool) (fd int, err error) {
	add := seccompAddFD{id: id, srcFD: uint32(f.Fd())}
	if cloexec {
		add.newFDFlags = unix.O_CLOEXEC
	}
	if e := l.raw.Control(func(listener uintptr) {
		var n uintptr
		if n, err = ioctlValue(listener, seccompAdd, unsafe.Pointer(&add)); err == nil {
			fd = int(n)
		}
	}); e != nil {
		return 0, e
	}
	runtime.KeepAlive(f)
	return fd, err
}

// Close ends it: whoever waits for an answer gets ENOSYS, as soon as the last use of it has
// returned. It waits for none.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return os.ErrClosed
	}
	Signal(l.end)
	return errors.Join(l.end.Close(), l.file.Close())
}

func (l *Listener) control(request uintptr, arg unsafe.Pointer) (err error) {
	if e := l.raw.Control(func(fd uintptr) { err = ioctl(fd, request, arg) }); e != nil {
		return e
	}
	return err
}

func ioctl(fd, request uintptr, arg unsafe.Pointer) error {
	_, err := ioctlValue(fd, request, arg)
	return err
}

func ioctlValue(fd, request uintptr, arg unsafe.Pointer) (uintptr, error) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg))
		if errno == 0 {
			return n, nil
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}
