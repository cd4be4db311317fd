package shim

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// A container makes cgroups below its own as it likes: on version 1 deeper than a path
// may be long (PATH_MAX), and than a process may have files open. So a tree is walked by
// descriptors, of which two are open at a time, and up again by "..": a cgroup never gets
// another parent.

// walker is in a cgroup of a tree.
type walker struct{ at *os.File }

// openCgroup opens a cgroup by its path.
func openCgroup(dir string) (*os.File, error) {
	return linux.OpenAt(nil, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// walk begins a walk at the top of a tree.
func walk(dir string) (*walker, error) {
	at, err := openCgroup(dir)
	return &walker{at}, err
}

func (w *walker) close() { w.at.Close() }

// into goes to a cgroup in this one, or to the parent ("..").
func (w *walker) into(name string) error {
	fd, err := unix.Openat(int(w.at.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "openat", Path: name, Err: err}
	}
	w.at.Close()
	w.at = os.NewFile(uintptr(fd), name) // not by its path, which would grow with every step
	return nil
}

// cgroups names those directly in this one, at most some; fewer if there is an error.
func (w *walker) cgroups(ctx context.Context, some int) (names []string, err error) {
	if _, err := w.at.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	const batch = 64 // about as many files as a cgroup has
	for ctx.Err() == nil {
		entries, err := w.at.ReadDir(batch)
		for _, e := range entries {
			if e.IsDir() {
				if names = append(names, e.Name()); len(names) == some {
					return names, nil
				}
			}
		}
		if err == io.EOF || errors.Is(err, unix.ENOENT) { // it was removed meanwhile
			return names, nil
		}
		if err != nil {
			return names, err
		}
	}
	return names, ctx.Err()
}

// all is for cgroups.
const all = -1

// forEachCgroupBelow calls visit for every cgroup below one, each before those in it. It
// is best effort: one that goes meanwhile is left out, and so are those that are left when
// ctx is done.
//
// What it keeps are the names of those that lie ahead, not places in directories
// (telldir(3)): where the container chooses names, one place can stand for several.
func forEachCgroupBelow(ctx context.Context, dir string, visit func(cgroup *os.File)) {
	w, err := walk(dir)
	if err != nil {
		return
	}
	defer w.close()
	names, _ := w.cgroups(ctx, all)
	for ahead := [][]string{names}; ctx.Err() == nil; {
		here := len(ahead) - 1
		switch names := ahead[here]; {
		case len(names) > 0:
			ahead[here] = names[1:]
			if w.into(names[0]) == nil {
				visit(w.at)
				names, _ := w.cgroups(ctx, all)
				ahead = append(ahead, names)
			}
		case here == 0 || w.into("..") != nil:
			return
		default:
			ahead = ahead[:here]
		}
	}
}

// hasCgroupsBelow tells whether there are cgroups below any of these, which costs a look
// at the number of links of each.
func hasCgroupsBelow(paths map[string]string) bool {
	for _, dir := range paths {
		if st, err := linux.StatAt(nil, dir); err == nil && st.Links > 2 {
			return true
		}
	}
	return false
}

// removeCgroupTree removes a cgroup and those below it. EBUSY: there is a process in one
// of them.
func removeCgroupTree(ctx context.Context, dir string) error {
	err := linux.Rmdir(nil, dir)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err := removeCgroupsBelow(ctx, dir); err != nil {
		return err
	}
	return ignoreMissing(linux.Rmdir(nil, dir))
}

// removeCgroupsBelow removes the cgroups below one, with EBUSY as above. It goes down
// where one cannot be removed yet, and up where nothing is left.
func removeCgroupsBelow(ctx context.Context, dir string) error {
	w, err := walk(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	defer w.close()
	for depth := 0; ; {
		names, err := w.cgroups(ctx, 1)
		switch {
		case err != nil:
			return err
		case len(names) == 0 && depth == 0:
			return nil
		case len(names) == 0:
			err = w.into("..")
			depth--
		default:
			var down bool
			if down, err = w.removeOrEnter(ctx, names[0]); down {
				depth++
			}
		}
		if err != nil {
			return err
		}
	}
}

// removeOrEnter removes a cgroup in this one or, if there are others in it, goes there.
func (w *walker) removeOrEnter(ctx context.Context, name string) (entered bool, err error) {
	err = linux.Rmdir(w.at, name)
	if !errors.Is(err, unix.EBUSY) {
		return false, ignoreMissing(err)
	}
	if err := w.into(name); err != nil {
		return false, ignoreMissing(err)
	}
	if inner, err := w.cgroups(ctx, 1); err != nil || len(inner) > 0 {
		return true, err
	}
	if err := w.into(".."); err != nil {
		return true, err
	}
	return false, ignoreMissing(linux.Rmdir(w.at, name)) // still busy: there is a process in it
}
