package conf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// maxLinks is how many symbolic links a walk follows, as in path_resolution(7).
const maxLinks = 40

// dirFlags open a directory on the way.
const dirFlags = unix.O_PATH | unix.O_DIRECTORY

// walker opens paths one component after the other, and only such as root has made.
// It follows symbolic links, ".." in them included, as the kernel would.
type walker struct {
	opened []*os.File // everything, for Close
	links  int
}

// place is a directory: the directories from the root to it, itself last.
type place []*os.File

func (p place) dir() *os.File { return p[len(p)-1] }

// errDangling is a symbolic link to something that does not exist. It is no
// fs.ErrNotExist: somebody wanted a file there.
var errDangling = errors.New("a symbolic link that leads nowhere")

// start is the root directory; nil stands for that of the process.
func (w *walker) start(root *os.File) (place, error) {
	if root == nil {
		f, err := linux.OpenAt(nil, "/", dirFlags, 0)
		if err != nil {
			return nil, err
		}
		w.opened = append(w.opened, f)
		root = f
	}
	return place{root}, trustDir(root, false)
}

// Close closes what was opened.
func (w *walker) Close() {
	for _, f := range w.opened {
		f.Close()
	}
}

// open walks from a directory along a path and opens its end with the flags. The
// place is where the end lies or, if it is a directory, the directory itself.
func (w *walker) open(at place, path string, flags int) (_ place, f *os.File, err error) {
	if strings.HasPrefix(path, "/") {
		at = at[:1]
	}
	names := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, name := range names {
		switch name {
		case ".":
			continue
		case "..":
			at = at[:max(1, len(at)-1)]
			continue
		}
		how := dirFlags
		if i == len(names)-1 {
			how = flags
		}
		if at, f, err = w.step(at, name, how); err != nil {
			return nil, nil, err
		}
	}
	if f == nil {
		return nil, nil, fmt.Errorf("%q does not end with a name", path)
	}
	return at, f, nil
}

// step opens one name in a directory, through symbolic links.
func (w *walker) step(at place, name string, flags int) (place, *os.File, error) {
	f, err := linux.OpenAt(at.dir(), name, flags|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return w.follow(at, name, flags, err)
	}
	if err != nil {
		return nil, nil, err
	}
	w.opened = append(w.opened, f)
	if flags&unix.O_DIRECTORY == 0 {
		return at, f, nil
	}
	return append(slices.Clip(at), f), f, trustDir(f, false)
}

// follow goes where a symbolic link leads; what is none gives the error.
func (w *walker) follow(at place, name string, flags int, err error) (place, *os.File, error) {
	st, statErr := linux.StatAt(at.dir(), name)
	if statErr != nil || !st.IsSymlink() {
		return nil, nil, err
	}
	if st.UID != 0 {
		return nil, nil, fmt.Errorf("%s is a symbolic link and must belong to root (owner %d)", at.name(name), st.UID)
	}
	if w.links++; w.links > maxLinks {
		return nil, nil, err
	}
	target, err := linux.ReadLink(at.dir(), name)
	if err != nil {
		return nil, nil, err
	}
	to, f, err := w.open(at, target, flags)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil, fmt.Errorf("%s is %w: %q", at.name(name), errDangling, target)
	}
	return to, f, err
}

// name is how messages call a name in a directory.
func (p place) name(name string) string {
	return strings.TrimSuffix(p.dir().Name(), "/") + "/" + name
}

// trustDir refuses a directory in which others than root could replace a name; with
// strict, also one in which they could add one.
func trustDir(dir *os.File, strict bool) error {
	st, err := linux.StatFile(dir)
	if err != nil {
		return err
	}
	others := st.Mode&0o022 != 0 && (strict || st.Mode&unix.S_ISVTX == 0)
	if st.UID != 0 || others {
		return fmt.Errorf("directory %s must belong to root and be writable by nobody else (owner %d, mode %#o)", dir.Name(), st.UID, st.Mode&0o7777)
	}
	return nil
}

// trustFile refuses a file whose content others than root could change.
func trustFile(f *os.File) error {
	st, err := linux.StatFile(f)
	switch {
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%s is not a file", f.Name())
	case st.UID != 0 || st.Mode&0o022 != 0:
		return fmt.Errorf("%s must belong to root and be writable by nobody else (owner %d, mode %#o)", f.Name(), st.UID, st.Mode&0o7777)
	}
	return nil
}
