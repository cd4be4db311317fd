package idmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// MountPoint opens the place in a root file system on which something is to be
// mounted: a directory if dir, else a file. It gives an O_PATH descriptor and
// the place's path inside the root without symbolic links.
//
// The image is hostile: links are resolved inside root and never leave it,
// ".." at the top stays there, magic links are plain links. What is missing is
// made, by the container's root: directories with mode 0755, an empty file
// with 0644; also where a dangling link leads to. Mounts on the way are
// crossed.
//
// ErrMountPoint: there is something of the wrong type, or too many links.
func (s *Stage) MountPoint(root *os.File, target string, dir bool) (at *os.File, resolved string, err error) {
	err = s.AsRoot(func() error {
		w := walker{root: root}
		defer w.Close()
		at, resolved, err = w.walk(target, dir)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("mount point %s: %w", target, err)
	}
	return at, resolved, nil
}

// maxLinks is how many symbolic links a path may lead through, as in the
// kernel (path_resolution(7)).
const maxLinks = 40

// walker walks a path by descriptors, one component at a time. It never opens
// "..": it keeps the directories that it came through, so that nobody who
// renames directories meanwhile can lead it out.
type walker struct {
	root  *os.File
	open  []*os.File // directories below root, each in the one before it
	names []string   // their names
	links int
}

func (w *walker) Close() {
	for _, f := range w.open {
		f.Close()
	}
}

// here is the directory that the walk has reached.
func (w *walker) here() *os.File {
	if len(w.open) == 0 {
		return w.root
	}
	return w.open[len(w.open)-1]
}

// path is where the walk has got to, below root.
func (w *walker) path(name string) string { return path.Join("/", path.Join(w.names...), name) }

// up goes n directories up, at most to the root.
func (w *walker) up(n int) {
	keep := max(len(w.open)-n, 0)
	for _, f := range w.open[keep:] {
		f.Close()
	}
	w.open, w.names = w.open[:keep], w.names[:keep]
}

func (w *walker) walk(target string, dir bool) (*os.File, string, error) {
	rest := target
	for {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		last := strings.Trim(rest, "/") == ""
		var f *os.File
		switch name {
		case "", ".":
		case "..":
			w.up(1)
		default:
			var link string
			var err error
			f, link, err = w.step(name, dir || !last)
			if err != nil {
				return nil, "", err
			}
			if link != "" {
				if link[0] == '/' {
					w.up(len(w.open))
				}
				rest = link + "/" + rest
				continue
			}
			if !last || dir {
				w.open, w.names = append(w.open, f), append(w.names, name)
			}
		}
		if !last {
			continue
		}
		if f != nil && !dir {
			return f, w.path(name), nil
		}
		return w.end(dir)
	}
}

// end gives the directory that the walk has reached.
func (w *walker) end(dir bool) (*os.File, string, error) {
	if !dir {
		return nil, "", fmt.Errorf("%w: %s is a directory", ErrMountPoint, w.path(""))
	}
	if len(w.open) == 0 {
		f, err := linux.OpenAt(w.root, ".", unix.O_PATH|unix.O_DIRECTORY, 0)
		return f, "/", err
	}
	n := len(w.open) - 1
	f, where := w.open[n], w.path("")
	w.open = w.open[:n]
	return f, where, nil
}

// step opens name in the directory reached, and makes it if it is missing. If
// it is a symbolic link, it gives where that leads instead.
func (w *walker) step(name string, dir bool) (f *os.File, link string, err error) {
	const flags = unix.O_PATH | unix.O_NOFOLLOW
	f, err = linux.OpenAt(w.here(), name, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if err = w.make(name, dir); err != nil {
			return nil, "", err
		}
		f, err = linux.OpenAt(w.here(), name, flags, 0)
	}
	if err != nil {
		return nil, "", err
	}
	st, err := linux.StatFile(f)
	switch {
	case err != nil:
	case st.IsSymlink():
		link, err = w.readLink(f, name)
		f.Close()
		return nil, link, err
	case dir && !st.IsDir():
		err = fmt.Errorf("%w: %s is not a directory", ErrMountPoint, w.path(name))
	case !dir && st.IsDir():
		err = fmt.Errorf("%w: %s is a directory", ErrMountPoint, w.path(name))
	default:
		return f, "", nil
	}
	f.Close()
	return nil, "", err
}

func (w *walker) readLink(f *os.File, name string) (string, error) {
	if w.links++; w.links > maxLinks {
		return "", fmt.Errorf("%w: %s leads through more than %d symbolic links", ErrMountPoint, w.path(name), maxLinks)
	}
	link, err := linux.ReadLink(f, "")
	if err == nil && link == "" {
		err = fmt.Errorf("%w: %s is an empty symbolic link", ErrMountPoint, w.path(name))
	}
	return link, err
}

// make makes name in the directory reached. Somebody else may be faster.
func (w *walker) make(name string, dir bool) error {
	var err error
	if dir {
		err = linux.Mkdir(w.here(), name, 0o755)
	} else {
		err = linux.Mknod(w.here(), name, unix.S_IFREG|0o644, 0)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make %s: %w", w.path(name), err)
	}
	return nil
}
