package idmap

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// lowerDirs are what a directory of an overlay is made of, beside the upper layer: the same
// directory in lower layers, open for reading, uppermost first.
type lowerDirs struct {
	dirs   []*os.File
	opaque string // the name of the extended attribute
}

func (l lowerDirs) close() {
	for _, dir := range l.dirs {
		dir.Close()
	}
}

// openLowers opens the directory path in the lower layers, on the host.
func (u *upperLayer) openLowers(path string) (lowerDirs, error) {
	return gather(len(u.lowers), u.prefix+opaqueXattr, func(i int) (*os.File, error) {
		if u.lowers[i].dataOnly {
			return nil, fs.ErrNotExist
		}
		layer, err := u.open(u.lowers[i].path)
		if err != nil {
			return nil, err
		}
		defer layer.Close()
		return openBelow(layer.File, path)
	})
}

// below opens a directory in these.
func (l lowerDirs) below(name string) (lowerDirs, error) {
	return gather(len(l.dirs), l.opaque, func(i int) (*os.File, error) {
		return linux.OpenAt(l.dirs[i], name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	})
}

// gather opens one after the other, until one hides those below it.
func gather(n int, opaque string, open func(i int) (*os.File, error)) (l lowerDirs, err error) {
	l.opaque = opaque
	for i := range n {
		dir, err := open(i)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			return l, nil // a file, a link or a whiteout
		}
		if err != nil {
			return l, err
		}
		l.dirs = append(l.dirs, dir)
		if hides, err := linux.HasXattr(dir, opaque); hides || err != nil {
			return l, err
		}
	}
	return l, nil
}

// whiteouts are those that hide nothing, because the directory is in no other lower layer:
// they belong to an inner overlay. The outer one does not show them, or not to the end.
func (l lowerDirs) whiteouts() (names []string, err error) {
	if len(l.dirs) != 1 {
		return nil, nil
	}
	for {
		entries, err := l.dirs[0].ReadDir(entriesAtOnce)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Type()&fs.ModeCharDevice == 0 {
				continue
			}
			st, err := linux.StatAt(l.dirs[0], e.Name())
			if err != nil {
				return nil, err
			}
			if st.Rdev == 0 {
				names = append(names, e.Name())
			}
		}
	}
}

// openBelow opens a directory of a layer, whatever anybody has put there: no link is
// followed, no mount crossed.
func openBelow(layer *os.File, path string) (*os.File, error) {
	return linux.OpenHow(layer, "."+path, unix.O_RDONLY|unix.O_DIRECTORY,
		unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
}
