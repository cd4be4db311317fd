package linux

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Capable tells whether a process has a capability in the user namespace that owns the namespace
// ns. It is in the user namespace home, with the effective user uid (of the host) and the
// effective capabilities caps: it has there what it has, and everything below a namespace that
// it has made from there. False if the owner is not below the calling process's own user
// namespace. That is ns_capable() of the kernel (cap_capable_helper, security/commoncap.c;
// user_namespaces(7), "Capabilities").
func Capable(ns, home *os.File, uid uint32, caps uint64, capability int) (bool, error) {
	const deepest = 33 // user namespaces are at most 32 deep, user_namespaces(7)
	at, err := UserNSOf(ns)
	if errors.Is(err, unix.EPERM) {
		return false, nil
	}
	for range deepest {
		if err != nil {
			return false, err
		}
		same, err := SameFile(at, home)
		if err != nil || same {
			at.Close()
			return caps&(1<<capability) != 0, err
		}
		next, maker, err := above(at)
		at.Close()
		if errors.Is(err, unix.EPERM) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		same, err = SameFile(next, home)
		if err != nil || same && maker == uid {
			next.Close()
			return err == nil, err
		}
		at = next
	}
	at.Close()
	return false, nil
}

// above is the user namespace above one, and who made that.
func above(ns *os.File) (parent *os.File, maker uint32, err error) {
	if maker, err = NSOwner(ns); err != nil {
		return nil, 0, err
	}
	parent, err = ParentNS(ns)
	return parent, maker, err
}
