package seccomp

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// mostLinks is how many symbolic links may be on the way, MAXSYMLINKS.
const mostLinks = 40

// walkSteps walks name by name, through magic links as well, and with the caller for
// /proc/self: for paths like /proc/self/fd/7 or /proc/1/root/x. It may get somewhere where the
// caller may not look (ptrace(2), "Ptrace access mode checking"), but nothing can be mounted
// but in the caller's own mount namespace.
//
// network tells that the thread is in the caller's network namespace. If it is not, the walk ends
// with errProc where it comes to a proc.
func (t *target) walkSteps(root, from *os.File, path string, flags int, network bool) (*os.File, error) {
	at, err := linux.OpenAt(from, ".", unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	nofollow := flags&unix.O_NOFOLLOW != 0 && !strings.HasSuffix(path, "/")
	links := 0
	for names := split(path); len(names) > 0; {
		if !network {
			if magic, err := linux.FSMagic(at); err != nil || magic == unix.PROC_SUPER_MAGIC {
				at.Close()
				return nil, cmp.Or(err, errProc)
			}
		}
		next, link, err := t.step(root, at, names[0], nofollow && len(names) == 1)
		names = append(split(link), names[1:]...)
		if links += min(len(link), 1); err == nil && links > mostLinks {
			err = unix.ELOOP
		}
		if next != nil || err != nil {
			at.Close()
			at = next
		}
		if err != nil {
			return nil, err
		}
	}
	if flags&unix.O_DIRECTORY == 0 {
		return at, nil
	}
	defer at.Close()
	// That asks no file system: a FUSE of another user namespace would tell nothing.
	return linux.Reopen(at, unix.O_PATH|unix.O_DIRECTORY)
}

// errProc says that what a path leads to depends on who walks.
var errProc = errors.New("the path leads through a proc")

// split gives the names of a path; the first is "/" if it is absolute.
func split(path string) []string {
	names := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	names = slices.DeleteFunc(names, func(n string) bool { return n == "." })
	if strings.HasPrefix(path, "/") {
		names = slices.Insert(names, 0, "/")
	}
	return names
}

// step opens a name of a directory, or gives what is in the link that it is. Neither: it is the
// directory itself.
func (t *target) step(root, dir *os.File, name string, nofollow bool) (next *os.File, link string, err error) {
	here, err := linux.StatFile(dir)
	if err != nil {
		return nil, "", err
	}
	if name == "/" {
		next, err = linux.OpenAt(root, ".", unix.O_PATH, 0)
		return next, "", err
	}
	if name == ".." {
		if top, err := linux.StatFile(root); err != nil || top.Ino == here.Ino && top.MountID == here.MountID {
			return nil, "", err
		}
	}
	f, err := linux.OpenAt(dir, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, "", err
	}
	st, err := linux.StatFile(f)
	if err == nil && (nofollow || !st.IsSymlink()) {
		return f, "", nil
	}
	defer f.Close()
	if err != nil {
		return nil, "", err
	}
	magic, err := linux.FSMagic(f)
	switch {
	case err != nil:
		return nil, "", err
	case magic != unix.PROC_SUPER_MAGIC:
		link, err = linux.ReadLink(f, "")
	case here.Ino != rootInode[magic]:
		next, err = linux.OpenAt(dir, name, unix.O_PATH, 0) // a magic one
	case name == "self":
		link, _, err = t.numbersIn(dir)
	case name == "thread-self":
		var thread string
		link, thread, err = t.numbersIn(dir)
		link += "/task/" + thread
	default:
		link, err = linux.ReadLink(f, "")
	}
	return next, link, err
}

// numbersIn are the numbers of the caller's process and of the caller in a proc, of its pid
// namespace or one above it. ENOENT: it has none there.
func (t *target) numbersIn(proc *os.File) (process, thread string, err error) {
	status, err := t.open("status", unix.O_RDONLY)
	if err != nil {
		return "", "", err
	}
	defer status.Close()
	processes, threads, err := numbers(status)
	if err != nil {
		return "", "", err
	}
	if magic, err := linux.FSMagic(proc); err != nil || magic != unix.PROC_SUPER_MAGIC {
		return "", "", cmp.Or(err, error(unix.ENOENT))
	}
	// From the shim's pid namespace inwards: the first one that is found there with the same
	// numbers further in. What somebody has mounted over it is not opened, which could lead to any
	// file of the host; it is taken for the caller's, as who else would mount there.
	const kernels = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV
	err = unix.ENOENT
	for i, n := range processes {
		f, open := linux.OpenHow(proc, n+"/status", unix.O_RDONLY, kernels)
		switch {
		case i >= len(threads):
		case errors.Is(open, unix.EXDEV):
			process, thread, err = n, threads[i], nil
		case open == nil:
			found, _, read := numbers(f)
			f.Close()
			if read == nil && slices.Equal(found, processes[i:]) {
				return n, threads[i], nil
			}
		}
	}
	return process, thread, err
}
