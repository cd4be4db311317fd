package seccomp

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// How the kernel walks for the caller: an absolute path from the caller's root, a relative one
// downwards; through no magic link (proc(5)), which would be looked at with the shim's rights.
const (
	fromRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	downward = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS
)

// look tells what a path of the caller leads to, as find does, with the fewest system calls:
// most calls go on after that.
func (t *target) look(dir int32, path string, flags int) (linux.Seen, error) {
	base, resolve := "/proc/"+strconv.Itoa(t.pid)+"/root", uint64(fromRoot)
	if !strings.HasPrefix(path, "/") {
		if dir != unix.AT_FDCWD {
			return t.lookAgain(dir, path, flags)
		}
		base, resolve = base[:len(base)-len("root")]+"cwd", downward
	}
	s, err := linux.Look(base, path, flags, resolve)
	if err != nil || misleading(s) {
		return t.lookAgain(dir, path, flags)
	}
	return s, nil
}

// misleading tells whether what was seen may depend on who looks: /proc/sys/net and what is
// below it.
func misleading(s linux.Seen) bool { return s.Magic == unix.PROC_SUPER_MAGIC && !s.Root }

// lookAgain is look by find.
func (t *target) lookAgain(dir int32, path string, flags int) (linux.Seen, error) {
	f, err := t.find(dir, path, flags)
	if err != nil {
		return linux.Seen{}, err
	}
	defer f.Close()
	return seen(f)
}

// seen tells about an opened file.
func seen(f *os.File) (s linux.Seen, err error) {
	if s.Mounted, err = linux.MountOf(f); err != nil || unix.Major(s.Dev) != 0 {
		return s, err
	}
	s.Magic, err = linux.FSMagic(f)
	return s, err
}

// find opens what a path of the caller leads to, O_PATH, from its own root and from dir, a
// descriptor of it or AT_FDCWD.
//
// It walks with the rights of the shim, and so gets where the caller's may not suffice. Nothing
// comes of that but a mount where only the caller sees it.
func (t *target) find(dir int32, path string, flags int) (*os.File, error) {
	if path == "" {
		return nil, unix.ENOENT
	}
	root, err := t.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	from := root
	if !strings.HasPrefix(path, "/") {
		if from, err = t.directory(dir); err != nil {
			return nil, err
		}
		defer from.Close()
	}
	return t.walk(root, from, path, flags|unix.O_PATH)
}

// directory is a descriptor of the caller, or for AT_FDCWD its working directory.
func (t *target) directory(dir int32) (*os.File, error) {
	if dir == unix.AT_FDCWD {
		return t.cwd()
	}
	return t.fd(dir)
}

// walk tries one way after the other.
func (t *target) walk(root, from *os.File, path string, flags int) (*os.File, error) {
	f, err := walkHere(from, path, flags)
	if err == nil {
		if s, err := seen(f); err != nil || !misleading(s) {
			return f, nil
		}
		f.Close()
	}
	switch errnoOf(err) {
	case 0, unix.EXDEV, unix.EAGAIN:
		f, err = t.onThread(func() (*os.File, error) {
			if err := linux.ChangeRoot(root); err != nil {
				return nil, err
			}
			return linux.OpenHow(from, path, flags, unix.RESOLVE_NO_MAGICLINKS)
		})
	}
	switch errnoOf(err) {
	case unix.ELOOP, unix.ENOENT:
		// A magic link; or /proc/self, which the shim has not in the caller's /proc.
		f, err = t.walkSteps(root, from, path, flags, false)
		if errors.Is(err, errProc) {
			return t.onThread(func() (*os.File, error) { return t.walkSteps(root, from, path, flags, true) })
		}
		return f, err
	case unix.EACCES:
		inside, err := t.walkInside(root, from, path, flags)
		switch errnoOf(err) {
		case 0, unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG:
			return inside, err
		}
	}
	return f, err
}

// walkHere is what the kernel does for this process; most paths need no more. EXDEV: a relative
// path leaves the directory. EAGAIN: something on the way is renamed all the time.
func walkHere(from *os.File, path string, flags int) (*os.File, error) {
	switch {
	case strings.HasPrefix(path, "/"):
		return linux.OpenHow(from, path, flags, fromRoot)
	case strings.Contains(path, ".."):
		return nil, unix.EXDEV
	}
	return linux.OpenHow(from, path, flags, downward)
}

// onThread walks on a thread that is in the caller's network namespace, on which depends what
// /proc/sys/net has.
func (t *target) onThread(walk func() (*os.File, error)) (f *os.File, err error) {
	ns, err := t.namespace("net")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	err = linux.OnThread(func() error {
		if err := linux.EnterNetNS(ns); err != nil {
			return err
		}
		f, err = walk()
		return err
	})
	return f, err
}

// walkInside walks in the caller's user namespace: a FUSE that was mounted there lets nobody
// else through, not even the host's root.
func (t *target) walkInside(root, from *os.File, path string, flags int) (*os.File, error) {
	// Whoever holds the pid namespace, too, is in another one than the shim.
	if ok, err := t.mayAdminister("pid"); err != nil || !ok {
		return nil, unix.EACCES
	}
	c, err := t.creds()
	if err != nil {
		return nil, err
	}
	uid, err := t.numberInside("uid_map", c.uid)
	if err != nil {
		return nil, err
	}
	gid, err := t.numberInside("gid_map", c.fsgid)
	if err != nil {
		return nil, err
	}
	ns, err := t.namespace("user")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if !t.alive() {
		return nil, unix.EINTR
	}
	return linux.OpenAs(ns, uid, gid, root, from, path, flags, unix.RESOLVE_NO_MAGICLINKS)
}
