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

// removeSockets removes the sockets that a killed server left behind. Where it still
// answers, the server lives and serves other containers of its group.
func removeSockets(ctx context.Context, bundle, containerd string) error {
	own, debug := socketAddresses(ctx, bundle, containerd)
	if own == "" || answers(ctx, own) {
		return nil
	}
	for _, address := range []string{own, debug} {
		if err := shim.RemoveSocket(address); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// socketAddresses are the addresses of the bundle's server, as start made them; the
// one that containerd noted wins. A server that was killed before containerd could
// note anything has left its sockets as well.
func socketAddresses(ctx context.Context, bundle, containerd string) (own, debug string) {
	own = bootstrapAddress(bundle)
	dir := socketDir(bundle)
	group, err := groupOf(filepath.Join(bundle, specFile), filepath.Base(bundle))
	if err != nil {
		return own, ""
	}
	if own == "" {
		own, _ = shim.CreateSocketAddress(ctx, dir, containerd, group, false)
	}
	debug, _ = shim.CreateSocketAddress(ctx, dir, containerd, group, true)
	return own, debug
}

// socketDir is the directory in which the socket of a bundle's server lies.
func socketDir(bundle string) string {
	dir, err := os.Readlink(filepath.Join(bundle, "s"))
	if err != nil {
		return defaultSocketDir
	}
	return dir
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
