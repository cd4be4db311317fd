package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// ErrNetworkBusy says that another container that is about to join the same network has
// not come to an end in time.
var ErrNetworkBusy = errors.New("another container is about to join it")

// borrowPatience is how long creating a container may take others that want its network.
const borrowPatience = 30 * time.Second

// borrow locks the network namespace among the opened ones, if the host owns it: who lives
// in it is all that tells whose it is, and who is about to is not seen yet. What the
// client calls a network is meant, once; the policy refuses everything else.
func (n *Namespaces) borrow(ctx context.Context, j Joining) error {
	if j.Locks == "" {
		return nil
	}
	for i, ns := range j.Namespaces {
		if ns.Type != specs.NetworkNamespace {
			continue
		}
		inode, err := borrowed(j.View, n.files[i])
		if err != nil || inode == 0 {
			return err
		}
		if n.lock, err = lockNetwork(ctx, j.Locks, inode); err != nil {
			return fmt.Errorf("wait for the network namespace %q: %w", ns.Path, err)
		}
		return nil
	}
	return nil
}

// borrowed is the inode of a network namespace that the host owns, and which is not the
// host's; 0 for every other.
func borrowed(v *View, f *os.File) (uint64, error) {
	if f == nil {
		return 0, nil
	}
	if flag, err := linux.NSType(f); err != nil || flag != unix.CLONE_NEWNET {
		return 0, err
	}
	inode, err := inodeOf(f)
	if err != nil {
		return 0, err
	}
	if host, err := isHost(v, "net", inode); err != nil || host {
		return 0, err
	}
	owner, err := linux.UserNSOf(f)
	if errors.Is(err, unix.EPERM) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer owner.Close()
	users, err := inodeOf(owner)
	if err != nil {
		return 0, err
	}
	if host, err := isHost(v, "user", users); err != nil || !host {
		return 0, err
	}
	return inode, nil
}

// lockNetwork locks the byte of a file that has the number of the namespace. The file is
// opened anew each time, because containers of one pod are created in one process. The
// lock ends with the process at the latest; the number is nobody else's as long as the
// namespace is open.
func lockNetwork(ctx context.Context, path string, inode uint64) (*os.File, error) {
	file, err := linux.OpenAt(nil, path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, borrowPatience, ErrNetworkBusy)
	defer cancel()
	const longest = 20 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		err := linux.TryLockByte(file, int64(inode&math.MaxInt64))
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			file.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
