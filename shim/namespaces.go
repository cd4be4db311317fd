package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// openNamespaces opens those that the spec gives by path, until runc has joined them.
func (c *container) openNamespaces(ctx context.Context, spec *specs.Spec) (facts map[int]policy.Namespace, err error) {
	if spec.Linux != nil {
		facts, c.namespaces, err = host.OpenNamespaces(ctx, host.Joining{
			View: c.host.View, Claims: c.pool, Locks: filepath.Join(c.cfg.StateDir, "networks"), Namespaces: spec.Linux.Namespaces,
		})
	}
	return facts, err
}

// joins are the paths by which runc finds the opened namespaces.
func (c *container) joins(d policy.Decision) map[int]string {
	paths := make(map[int]string, len(d.Joins))
	for _, i := range d.Joins {
		paths[i] = c.namespaces.Path(i)
	}
	return paths
}

// created is for a container that runc has created, with the host's number of its
// first process: it has joined what there was to join, and others may join it, as soon as
// they can know whose it is.
func (c *container) created(pid uint32) error {
	defer c.namespaces.Close()
	user, err := os.Readlink(filepath.Join("/proc", strconv.FormatUint(uint64(pid), 10), "ns/user"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // killed already, which is the client's to find out
	}
	if err != nil {
		return err
	}
	return os.Symlink(user, filepath.Join(c.bundle, host.UserNSLink))
}

// inNetwork calls fn on a thread in the network namespace that the container will have,
// for what only the host's root may do there.
func (c *container) inNetwork(spec *specs.Spec, d policy.Decision, fn func() error) error {
	return linux.OnThread(func() error {
		for _, i := range d.Joins {
			if spec.Linux.Namespaces[i].Type == specs.NetworkNamespace {
				if err := linux.EnterNetNS(c.namespaces.File(i)); err != nil {
					return err
				}
			}
		}
		return fn()
	})
}

// configureNetwork writes the settings of a borrowed network.
func (c *container) configureNetwork(spec *specs.Spec, d policy.Decision, g policy.Grant) error {
	settings := policy.Sysctls(spec, d, g)
	if len(settings) == 0 {
		return nil
	}
	return c.inNetwork(spec, d, func() error {
		proc, err := linux.OpenAt(nil, "/proc/sys", unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		defer proc.Close()
		for name, value := range settings {
			if err := writeSetting(proc, name, value); err != nil {
				return fmt.Errorf("linux.sysctl: %w", err)
			}
		}
		return nil
	})
}

func writeSetting(proc *os.File, name, value string) error {
	f, err := linux.OpenHow(proc, name, unix.O_WRONLY, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// mountForeign makes a file system for mount m that shows a namespace of the host's user
// namespace, and has put mount it. Its flags are final, and locked in the container.
func (b *builder) mountForeign(m specs.Mount, put func(tree *os.File) error) error {
	attr := unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	if m.Type == "sysfs" || policy.ReadOnly(m) {
		attr |= unix.MOUNT_ATTR_RDONLY
	}
	var tree *os.File
	err := b.inNetwork(b.spec, b.decision, func() error {
		fs, err := linux.NewFS(m.Type)
		if err != nil {
			return err
		}
		defer fs.Close()
		if err := fs.Set("source", m.Type); err != nil {
			return err
		}
		tree, err = fs.Mount(attr)
		return err
	})
	if err != nil {
		return err
	}
	defer tree.Close()
	return put(tree)
}
