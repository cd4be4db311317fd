package shim

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/ttrpc"
)

// removeSockets removes the sockets that a killed server left behind. Where one
// of them still answers, the server lives and serves other containers of its group.
func removeSockets(ctx context.Context, bundle, address string) error {
	own := bootstrapAddress(bundle)
	if own == "" || answers(ctx, own) {
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

// answers tells whether a server lives behind a socket. That one can connect says
// little: a process that is being killed closes its files one after the other, and
// containerd acts on the first. So a question is asked that every server answers,
// be it with an error, and a dying one never does.
func answers(ctx context.Context, address string) bool {
	conn, err := shim.AnonDialer(address, time.Second)
	if err != nil {
		return false
	}
	client := ttrpc.NewClient(conn)
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = taskapi.NewTTRPCTaskClient(client).Connect(ctx, &taskapi.ConnectRequest{})
	return !errors.Is(err, ttrpc.ErrClosed)
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
