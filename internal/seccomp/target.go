package seccomp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// target is the thread that called. What is read of it may be another one's, if it was killed
// meanwhile and its number given away: alive tells, before anything is done.
type target struct {
	pid int // of the thread, in the shim's pid namespace
	id  uint64
	l   *linux.Listener
}

// alive tells whether it still waits for the answer.
func (t *target) alive() bool { return t.l.Waits(t.id) }

// pathMax is how long a path may be, its zero at the end included.
const pathMax = 4096

// readString reads a string of the caller's memory. EFAULT: it is not there;
// ENAMETOOLONG: it is longer than a path.
func (t *target) readString(address uint64) (string, error) {
	buf := make([]byte, 0, 256)
	page := uint64(os.Getpagesize())
	for len(buf) < pathMax {
		// Up to the end of a page: behind it nothing may be mapped.
		n := min(page-address%page, uint64(pathMax-len(buf)), 256)
		start := len(buf)
		buf = append(buf, make([]byte, n)...)
		got, err := linux.ReadMemory(t.pid, address, buf[start:])
		if err != nil {
			return "", unix.EFAULT
		}
		buf = buf[:start+got]
		if end := bytes.IndexByte(buf[start:], 0); end >= 0 {
			return string(buf[:start+end]), nil
		}
		address += uint64(got)
	}
	return "", unix.ENAMETOOLONG
}

// readOptional is readString, or "" for a null pointer.
func (t *target) readOptional(address uint64) (string, error) {
	if address == 0 {
		return "", nil
	}
	return t.readString(address)
}

// unreadable is the answer to a call of which a string could not be read. Memory that the agent
// cannot read the kernel perhaps can (memfd_secret(2)), and so it must not go on. A null pointer
// it cannot, and it has its own errors for that and for what is too long.
func unreadable(address uint64, err error) answer {
	if address == 0 || !errors.Is(err, unix.EFAULT) {
		return proceed()
	}
	return refuse(unix.EFAULT)
}

// open opens a file of /proc/PID.
func (t *target) open(name string, flags int) (*os.File, error) {
	return linux.OpenAt(nil, "/proc/"+strconv.Itoa(t.pid)+"/"+name, flags, 0)
}

// root is the caller's root directory, in its mount namespace.
func (t *target) root() (*os.File, error) { return t.open("root", unix.O_PATH|unix.O_DIRECTORY) }

// cwd is its working directory.
func (t *target) cwd() (*os.File, error) { return t.open("cwd", unix.O_PATH|unix.O_DIRECTORY) }

// fd is what its descriptor n leads to; EBADF if it has none.
func (t *target) fd(n int32) (*os.File, error) {
	f, err := t.open("fd/"+strconv.Itoa(int(n)), unix.O_PATH)
	if errors.Is(err, os.ErrNotExist) {
		return nil, unix.EBADF
	}
	return f, err
}

// namespace opens one of its namespaces: "mnt", "pid", "net", "user".
func (t *target) namespace(kind string) (*os.File, error) {
	return linux.OpenNS(t.pid, kind)
}

// inside calls fn on a thread in the caller's mount namespace. Descriptors lead to where they
// led before; paths would lead to somewhere of the caller's.
func (t *target) inside(fn func() error) error {
	ns, err := t.namespace("mnt")
	if err != nil {
		return err
	}
	defer ns.Close()
	return within(ns, fn)
}

// within is inside for a mount namespace.
func within(ns *os.File, fn func() error) error {
	return linux.OnThread(func() error {
		if err := linux.EnterMountNS(ns); err != nil {
			return err
		}
		return fn()
	})
}

// credentials are what the kernel looks at when a thread does something. IDs are the host's.
type credentials struct {
	uid, fsuid, fsgid uint32 // uid is the effective one
	groups            []uint32
	caps              uint64 // effective, in its user namespace
	umask             uint32
}

// creds reads the caller's credentials, proc_pid_status(5).
func (t *target) creds() (c credentials, err error) {
	f, err := t.open("status", unix.O_RDONLY)
	if err != nil {
		return c, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return c, err
	}
	found := 0
	for line := range strings.Lines(string(data)) {
		key, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		switch {
		case key == "Umask" && len(fields) == 1:
			c.umask, err = parseID(fields[0], 8)
		case key == "Uid" && len(fields) == 4:
			c.uid, err = parseID(fields[1], 10)
			if err == nil {
				c.fsuid, err = parseID(fields[3], 10)
			}
		case key == "Gid" && len(fields) == 4:
			c.fsgid, err = parseID(fields[3], 10)
		case key == "Groups":
			for _, field := range fields {
				var g uint32
				if g, err = parseID(field, 10); err != nil {
					return c, err
				}
				c.groups = append(c.groups, g)
			}
		case key == "CapEff" && len(fields) == 1:
			c.caps, err = strconv.ParseUint(fields[0], 16, 64)
		default:
			continue
		}
		if err != nil {
			return c, err
		}
		found++
	}
	if found != 5 {
		return c, fmt.Errorf("%s: %d of 5 lines", f.Name(), found)
	}
	return c, nil
}

func parseID(text string, base int) (uint32, error) {
	n, err := strconv.ParseUint(text, base, 32)
	return uint32(n), err
}

// numbers reads the numbers of a process and of a thread in each pid namespace, from that of the
// proc inwards: proc_pid_status(5), NStgid and NSpid.
func numbers(status *os.File) (process, thread []string, err error) {
	data, err := io.ReadAll(status)
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(data)) {
		key, rest, _ := strings.Cut(line, ":")
		switch key {
		case "NStgid":
			process = strings.Fields(rest)
		case "NSpid":
			thread = strings.Fields(rest)
		}
	}
	return process, thread, nil
}
