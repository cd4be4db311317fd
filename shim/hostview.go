package shim

import (
	"os"

	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/internal/host"
)

// hostView is the host as containerd sees it, from inside the shim's own mount
// namespace.
type hostView struct {
	*host.View

	containerd string // path of the socket of containerd's gRPC API
}

// newHostView opens the mount namespace ns, in which containerd serves at a path.
func newHostView(ns *os.File, containerd string) (*hostView, error) {
	v, err := host.Open(ns)
	if err != nil {
		return nil, err
	}
	return &hostView{v, containerd}, nil
}

// config is where the configuration is read from.
func (v *hostView) config() conf.Source { return conf.Source{Root: v.Root()} }
