package seccomp

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// where is the mount namespace of a caller and its root directory there, with which an effect
// can be taken back when the caller itself is gone. It uses no mount but that of the root.
type where struct {
	ns, root, mounts *os.File
}

// where opens it.
func (t *target) where() (w *where, err error) {
	w = &where{}
	if w.ns, err = t.namespace("mnt"); err == nil {
		if w.root, err = t.root(); err == nil {
			w.mounts, err = t.open("mountinfo", unix.O_RDONLY)
		}
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *where) close() {
	for _, f := range []*os.File{w.ns, w.root, w.mounts} {
		if f != nil {
			f.Close()
		}
	}
}

// unmount takes away the mount with an ID, and what is mounted on it; none, if it has been
// taken away meanwhile, or moved out of sight.
func (w *where) unmount(id uint64) error {
	mounts, err := readMounts(w.mounts)
	if err != nil {
		return err
	}
	m, ok := mounts[id]
	if !ok {
		return nil
	}
	at, err := linux.OpenInRoot(w.root, m.point, unix.O_PATH)
	if err != nil {
		return err
	}
	defer at.Close()
	if found, err := linux.MountOf(at); err != nil || found.ID != id {
		return err // something was mounted over it
	}
	return within(w.ns, func() error { return detach(at) })
}

// mount moves a tree to a path.
func (w *where) mount(tree *os.File, path string) error {
	at, err := linux.OpenInRoot(w.root, path, unix.O_PATH)
	if err != nil {
		return err
	}
	defer at.Close()
	return within(w.ns, func() error { return linux.MoveMount(tree, at) })
}

// detach takes a mount out of the mount namespace of the calling thread, with what is mounted
// on it.
func detach(root *os.File) error {
	if err := linux.ChangeDir(root); err != nil {
		return err
	}
	return os.NewSyscallError("umount2", unix.Unmount(".", unix.MNT_DETACH))
}
