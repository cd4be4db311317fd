package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// Held is a tree of mounts of which detached copies are made: all of it in one call, where to
// build it took many. It is alone in a mount namespace of its own, because older kernels
// (before 6.15) copy nothing that is detached.
type Held struct{ ns, root *os.File }

// HoldTree takes a detached tree, which stays the caller's to close and cannot be used any
// more, also after an error. EINVAL: this process has the initial root file system, which
// pivot_root(2) cannot put away.
func HoldTree(tree *os.File) (*Held, error) {
	h := &Held{}
	err := OnThread(func() error { return h.hold(tree) })
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (h *Held) hold(tree *os.File) error {
	proc, err := attachInNewNS(tree)
	if err != nil {
		return err
	}
	defer proc.Close()
	if h.ns, err = OpenAt(proc, "thread-self/ns/mnt", unix.O_RDONLY, 0); err != nil {
		return err
	}
	if h.root, err = OpenPath(newNSPlace); err != nil {
		return err
	}
	// Nothing else is to be kept by this namespace, least of all file systems of containers.
	// The old root is mounted over the new one, and goes from there: pivot_root(2).
	if err := at("fchdir", h.root, "", unix.Fchdir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	return os.NewSyscallError("umount2", unix.Unmount(".", unix.MNT_DETACH))
}

// newNSPlace is where a tree is attached by attachInNewNS: no root directory, on which nothing can
// be mounted, and whoever has one of his own may make no user namespace.
const newNSPlace = "/proc"

// attachInNewNS gives the calling thread a mount namespace of its own, from which nothing is
// propagated, and attaches a detached tree there, on [newNSPlace]. It gives the proc that is under it
// then. Only in [OnThread].
func attachInNewNS(tree *os.File) (proc *os.File, err error) {
	if err := NewMountNS(); err != nil {
		return nil, err
	}
	if err := Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	if proc, err = OpenPath(newNSPlace); err != nil {
		return nil, err
	}
	if err := MoveMount(tree, proc); err != nil {
		proc.Close()
		return nil, err
	}
	return proc, nil
}

// Copy makes a detached copy.
func (h *Held) Copy() (tree *os.File, err error) {
	err = OnThread(func() error {
		if err := EnterMountNS(h.ns); err != nil {
			return err
		}
		tree, err = OpenTree(h.root, "", true)
		return err
	})
	return tree, err
}

// Close lets the tree go. Copies stay.
func (h *Held) Close() {
	for _, f := range []*os.File{h.ns, h.root} {
		if f != nil {
			f.Close()
		}
	}
}
