package linux

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// LockTree gives a detached copy of tree, a detached tree, in which the kernel has locked what is
// mounted on its root: nobody can take it away, change that it is read-only, or see what is under
// it, whatever they may do in the mount namespace in which the copy is attached. That is what the
// kernel does where a mount namespace is copied for another user namespace, mount_namespaces(7),
// "Restrictions on mount namespaces"; so one is, and goes again. The options of the root itself
// are locked, too. tree cannot be used any more, and stays the caller's to close.
func LockTree(tree *os.File) (locked *os.File, err error) {
	err = OnThread(func() error {
		proc, err := attachInNewNS(tree)
		if err != nil {
			return err
		}
		defer proc.Close()
		var copied *os.File
		if err := parkedInNewNS(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, func(pid int) error {
			copied, err = OpenAt(proc, strconv.Itoa(pid)+"/ns/mnt", unix.O_RDONLY, 0)
			return err
		}); err != nil {
			return err
		}
		defer copied.Close()
		if err := EnterMountNS(copied); err != nil {
			return err
		}
		locked, err = OpenTree(nil, newNSPlace, true)
		return err
	})
	return locked, err
}
