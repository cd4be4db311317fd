package shim

import (
	"os"
	"sync/atomic"

	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/internal/host"
)

// hostView is the host as containerd sees it, from inside the shim's own mount
// namespace.
type hostView struct {
	*host.View

	containerd string // path of the socket of containerd's gRPC API
	networks   networks
	agents     atomic.Int64 // that there have been
}

// newHostView opens the mount namespace ns, in which containerd serves at a path.
func newHostView(ns *os.File, containerd string) (*hostView, error) {
	v, err := host.Open(ns)
	if err != nil {
		return nil, err
	}
	return &hostView{View: v, containerd: containerd}, nil
}

// config is where the configuration is read from.
func (v *hostView) config() conf.Source { return conf.Source{Root: v.Root()} }
