package shim

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/pkg/shim"
)

// removeSockets removes the sockets that a killed server left behind. Where one
// of them still answers, the server lives and serves other containers of its group.
func removeSockets(ctx context.Context, bundle, address string) error {
	own := bootstrapAddress(bundle)
	if own == "" || shim.CanConnect(own) {
		return nil
	}
	err := shim.RemoveSocket(own)
	dir, linkErr := os.Readlink(filepath.Join(bundle, "s"))
	group, groupErr := groupOf(filepath.Join(bundle, specFile), filepath.Base(bundle))
	if linkErr == nil && groupErr == nil {
		if debug, addrErr := shim.CreateSocketAddress(ctx, dir, address, group, true); addrErr == nil {
			_ = shim.RemoveSocket(debug)
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// bootstrapAddress is the address of the bundle's server, as containerd 2.x
// (bootstrap.json) or 1.7 (address) noted it; "" if neither did.
func bootstrapAddress(bundle string) string {
	if data, err := os.ReadFile(filepath.Join(bundle, "bootstrap.json")); err == nil {
		var noted struct {
			Address string `json:"address"`
		}
		if json.Unmarshal(data, &noted) == nil && noted.Address != "" {
			return noted.Address
		}
	}
	address, err := shim.ReadAddress(filepath.Join(bundle, "address"))
	if err != nil {
		return ""
	}
	return address
}
