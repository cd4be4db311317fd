package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/process"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/runc"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/shim"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/eci-runtime/eci/internal/conf"
)

// shimManager answers the actions of the shim binary that are not the server's.
type shimManager struct {
	shim.Shim        // runc's
	address   string // containerd's gRPC socket
}

func newManager(args arguments) shim.Shim {
	return shimManager{manager.NewShimManager(Name), args.address}
}

// Start is never reached: Main serves that action itself.
func (shimManager) Start(context.Context, *bootapi.BootstrapParams) (*bootapi.BootstrapResult, error) {
	return nil, errors.New("start is served before the framework")
}

// Stop is the "delete" action, which containerd runs once for every container
// when its shim is gone: after a regular end, where nothing is left to do, and
// after a crash, where it ends the container and releases what it held.
//
// It reads no configuration, which may have changed or become invalid since: where
// the container's claim is, its bundle says.
//
// runc is asked only when it still knows the container. That question costs a
// look at a directory; asking runc would cost a sixth of a short container's life.
func (m shimManager) Stop(ctx context.Context, id string) (shim.StopStatus, error) {
	bundle, err := bundleOf(ctx)
	if err != nil {
		return shim.StopStatus{}, err
	}
	state, err := runcStateOf(ctx, bundle, id)
	if err != nil {
		return shim.StopStatus{}, err
	}
	status := recordedExit(bundle)
	switch _, err := os.Lstat(state); {
	case err == nil:
		if status, err = m.end(ctx, id, containerCgroups(bundle, state)); err != nil {
			return status, err // and what it held stays claimed
		}
	case !errors.Is(err, os.ErrNotExist):
		return shim.StopStatus{}, err
	case status.Pid == 0:
		unclaimCgroups(containerCgroups(bundle, state))
	}
	return status, errors.Join(releaseClaims(bundle), removeSockets(ctx, bundle, m.address))
}

// end has runc kill and remove a container that its server left behind, and sees to
// what runc does not know.
func (m shimManager) end(ctx context.Context, id string, paths map[string]string) (shim.StopStatus, error) {
	thawing, stop := context.WithCancel(ctx)
	go thawUntil(thawing, paths)
	killAll(thawing, paths) // runc would kill the first process, if it took it for alive
	half, cancel := context.WithTimeout(ctx, endPatience/2)
	_ = endCgroupsBelow(half, paths) // what is left then, endCgroups says
	cancel()
	status, err := m.Shim.Stop(ctx, id)
	stop()
	if err != nil {
		return status, err
	}
	return status, endCgroups(paths)
}

// unclaimCgroups removes the cgroup that was made as a claim for a container whose
// server was killed before runc had begun. Only an empty one is removed, and nobody
// is killed: if there is somebody in it, it has become another container's.
func unclaimCgroups(paths map[string]string) {
	for _, dir := range paths {
		_ = unix.Rmdir(dir)
	}
}

// bundleOf is the bundle that the action is about, by the name that containerd
// gives it: it is also in the working directory, but that may have another name.
func bundleOf(ctx context.Context) (string, error) {
	if opts, ok := ctx.Value(shim.OptsKey{}).(shim.Opts); ok && opts.BundlePath != "" {
		return filepath.Clean(opts.BundlePath), nil
	}
	return os.Getwd()
}

// runcStateOf is runcState for a container of which there is only the bundle.
func runcStateOf(ctx context.Context, bundle, id string) (string, error) {
	ns, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return "", err
	}
	opts, err := runc.ReadOptions(bundle)
	if err != nil {
		return "", err
	}
	return runcState(opts, ns, id), nil
}

// runcState is the directory in which runc keeps the state of a container.
func runcState(opts *options.Options, namespace, id string) string {
	root := process.RuncRoot
	if r := opts.GetRoot(); r != "" {
		root = r
	}
	return filepath.Join(root, namespace, id)
}

// recordedExit is the exit status that the server left in the bundle; for a
// container that never ran, the zero status of now.
func recordedExit(bundle string) shim.StopStatus {
	exit, err := runc.ReadExitStatus(bundle)
	if err != nil {
		return shim.StopStatus{ExitedAt: time.Now(), ExitStatus: 128 + 9}
	}
	return shim.StopStatus{Pid: exit.Pid, ExitStatus: exit.Status, ExitedAt: exit.Timestamp}
}

// Info answers "-info": the name and version of this runtime, and what the runc
// that it delegates to can do. containerd's CRI plugin reads from it that user
// namespaces and ID-mapped mounts work.
func (m shimManager) Info(ctx context.Context, stdin io.Reader) (*types.RuntimeInfo, error) {
	input, err := io.ReadAll(io.LimitReader(stdin, maxBootstrap))
	if err != nil {
		return nil, err
	}
	var wrapped anypb.Any
	if err := proto.Unmarshal(input, &wrapped); err != nil {
		return nil, fmt.Errorf("runtime options: %w", err)
	}
	opts, err := runcOptions(&wrapped)
	if err != nil {
		return nil, err
	}
	cfg, err := conf.Source{}.Load()
	if err != nil {
		return nil, err
	}
	if opts.BinaryName, err = findRunc(cfg, opts); err != nil {
		return nil, err
	}
	packed, err := packOptions(opts)
	if err != nil {
		return nil, err
	}
	data, err := proto.Marshal(packed)
	if err != nil {
		return nil, err
	}
	info, err := m.Shim.Info(ctx, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	info.Version = &types.RuntimeVersion{Version: Version}
	return info, nil
}
