package shim

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// hostView is the host as containerd sees it, from inside the shim's own mount
// namespace.
type hostView struct {
	ns   *os.File // containerd's mount namespace
	root *os.File // its root directory
}

// newHostView opens the root of the mount namespace ns.
func newHostView(ns *os.File) (*hostView, error) {
	v := &hostView{ns: ns}
	err := linux.OnThread(func() (err error) {
		if err = linux.EnterMountNS(ns); err != nil {
			return err
		}
		v.root, err = linux.OpenAt(nil, "/", unix.O_PATH|unix.O_DIRECTORY, 0)
		return err
	})
	return v, err
}
