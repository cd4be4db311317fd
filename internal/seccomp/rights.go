package seccomp

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// mayAdminister tells whether the caller holds CAP_SYS_ADMIN in the user namespace that owns
// a namespace of some kind that it is in: as ns_capable() of the kernel finds it out,
// user_namespaces(7), "Capabilities".
func (t *target) mayAdminister(kinds ...string) (bool, error) {
	c, err := t.creds()
	if err != nil {
		return false, err
	}
	own, err := t.namespace("user")
	if err != nil {
		return false, err
	}
	defer own.Close()
	home, err := identity(own)
	if err != nil {
		return false, err
	}
	for _, kind := range kinds {
		ns, err := t.namespace(kind)
		if err != nil {
			return false, err
		}
		ok, err := owned(ns, home, c)
		ns.Close()
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// owned looks for the caller's user namespace among the owner of ns and those above it.
func owned(ns *os.File, home inode, c credentials) (bool, error) {
	const deepest = 33 // user namespaces are at most 32 deep, user_namespaces(7)
	at, err := linux.UserNSOf(ns)
	if errors.Is(err, unix.EPERM) {
		return false, nil // not below the shim's own
	}
	for range deepest {
		if err != nil {
			return false, err
		}
		here, err := identity(at)
		if err != nil || here == home {
			at.Close()
			return c.caps&(1<<unix.CAP_SYS_ADMIN) != 0, err
		}
		next, maker, err := above(at)
		at.Close()
		if errors.Is(err, unix.EPERM) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		up, err := identity(next)
		if err != nil || up == home && maker == c.uid {
			next.Close()
			return err == nil, err
		}
		at = next
	}
	return false, nil
}

// above is the user namespace above one, and who made that.
func above(ns *os.File) (parent *os.File, maker uint32, err error) {
	if maker, err = linux.NSOwner(ns); err != nil {
		return nil, 0, err
	}
	parent, err = linux.ParentNS(ns)
	return parent, maker, err
}

// isInner tells whether the caller's mount namespace belongs to a user namespace that was made
// inside the container. There the kernel lets nobody have a new proc or sysfs that shows more than
// the one that is there.
func (t *target) isInner() (bool, error) {
	ns, err := t.namespace("mnt")
	if err != nil {
		return false, err
	}
	defer ns.Close()
	owner, err := linux.UserNSOf(ns)
	if err != nil {
		return false, err
	}
	defer owner.Close()
	top, err := isTop(owner)
	return !top, err
}

type inode struct{ dev, ino uint64 }

func identity(f *os.File) (inode, error) {
	st, err := linux.StatFile(f)
	return inode{st.Dev, st.Ino}, err
}
