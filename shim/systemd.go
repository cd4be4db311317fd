package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// mountSystemd gives the container what systemd needs, if systemd is what it starts: that can
// be told as soon as the rootfs is there, in which links lead to it.
func (b *builder) mountSystemd() error {
	program := ""
	for _, path := range policy.Programs(b.spec.Process) {
		if f, err := linux.OpenInRoot(b.root, path, unix.O_PATH); err == nil {
			program = b.inRoot(f)
			f.Close()
			break
		}
	}
	if b.systemd = b.cfg.IsSystemd(program); !b.systemd {
		return nil
	}
	first, last, own := policy.SystemdMounts(b.spec.Mounts, b.destinations())
	b.ownRun = own
	for _, m := range first {
		tree, err := b.Tmpfs(m.Options)
		if err != nil {
			return err
		}
		err = b.attach(tree, m.Destination, true)
		tree.Close()
		if err != nil {
			return err
		}
	}
	b.spec.Mounts = append(b.spec.Mounts, last...)
	b.spec.Process.Env = policy.SystemdEnv(b.spec.Process.Env)
	return nil
}

// maskUnits hides units of systemd's that can only fail, as systemctl mask --runtime does, in
// a container that runc has created and nobody has started yet. A volume at /run stays as it is.
func (c *container) maskUnits(pid uint32) error {
	if !c.systemd || !c.ownRun {
		return nil
	}
	first, err := openProcess(pid, c.ids)
	if err == nil {
		defer first.Close()
		err = linux.OnThread(func() error {
			root, err := first.open("root", unix.O_PATH|unix.O_DIRECTORY)
			if err != nil {
				return err
			}
			defer root.Close()
			if err := linux.KeepCaps(); err != nil {
				return err
			}
			if err := linux.SetFSIDs(c.ids.Base, c.ids.Base); err != nil {
				return err
			}
			return maskUnits(root)
		})
	}
	if err != nil && !first.ended() {
		return fmt.Errorf("mask units of systemd: %w", err)
	}
	return nil
}

// maskUnits does it as the container's root, who owns what is made.
func maskUnits(root *os.File) error {
	run, err := linux.OpenInRoot(root, "/run", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer run.Close()
	if magic, err := linux.FSMagic(run); err != nil || magic != unix.TMPFS_MAGIC {
		return err
	}
	dir := run
	for _, name := range []string{"systemd", "system"} {
		if err := linux.Mkdir(dir, name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if dir, err = linux.OpenHow(dir, name, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS); err != nil {
			return err
		}
		defer dir.Close()
	}
	for _, unit := range policy.SystemdMasked {
		if err := linux.Symlink("/dev/null", dir, unit); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// haltSignal asks systemd to stop the services and then itself: SIGRTMIN+3 as the C library
// counts, which keeps two signals for itself (systemd(1), "Signals").
const haltSignal = 34 + 3

// stopSignal is what a client means by the signal that it sends. Those that know no better
// stop a container with SIGTERM, on which systemd only starts itself anew, and SIGKILL later.
func (c *container) stopSignal(r *taskapi.KillRequest) *taskapi.KillRequest {
	if c == nil || !c.systemd || r.ExecID != "" || r.All || r.Signal != uint32(unix.SIGTERM) {
		return r
	}
	return &taskapi.KillRequest{ID: r.ID, Signal: haltSignal}
}
