package seccomp

import (
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
	for _, kind := range kinds {
		ns, err := t.namespace(kind)
		if err != nil {
			return false, err
		}
		ok, err := linux.Capable(ns, own, c.uid, c.caps, unix.CAP_SYS_ADMIN)
		ns.Close()
		if err != nil || !ok {
			return false, err
		}
	}
	return true, nil
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
