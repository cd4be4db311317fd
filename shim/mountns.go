package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/policy"
)

// hostNamespaceEnv names the environment variable in which "start" tells the
// server the number of the descriptor of the caller's mount namespace.
const hostNamespaceEnv = "ECI_HOST_MNTNS_FD"

// inheritHostNamespace takes over the descriptor of containerd's mount namespace,
// in which the sources of mounts are found.
func inheritHostNamespace() (*os.File, error) {
	fd, err := strconv.Atoi(os.Getenv(hostNamespaceEnv))
	if err != nil {
		return nil, fmt.Errorf("%s is not set: this program is started by containerd only", hostNamespaceEnv)
	}
	_ = os.Unsetenv(hostNamespaceEnv)
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "host mount namespace"), nil
}

// setupMountNamespace makes the copy of the host's mount namespace, in which the
// server was cloned, the shim's own:
//
//   - its mounts become slaves, so that nothing which is mounted here is seen on
//     the host, while the host can still unmount what is shared;
//   - what the host mounted privately is dropped, unless the shim needs it: no
//     event of the host would reach it here, and a file system that is mounted in
//     a forgotten namespace cannot be released (docs/adr/0002);
//   - an empty tmpfs covers the stage directory, on which containers are built.
//
// Everything here dies with the shim, however that ends.
func setupMountNamespace(cfg policy.Config) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return &os.PathError{Op: "make slave", Path: "/", Err: err}
	}
	needed, err := neededPaths(cfg)
	if err != nil {
		return err
	}
	if err := dropForeignMounts(needed); err != nil {
		return err
	}
	stage := stageDir(cfg)
	if err := os.MkdirAll(stage, 0o711); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if err := unix.Mount("eci", stage, "tmpfs", unix.MS_NOSUID, "mode=0711"); err != nil {
		return &os.PathError{Op: "mount tmpfs", Path: stage, Err: err}
	}
	return nil
}

// stageDir is where containers' trees are built, in the shim's mount namespace
// only. It is constant, so that every component can be searched by container root.
func stageDir(cfg policy.Config) string { return filepath.Join(cfg.StateDir, "stage") }

// systemPaths are the mounts that a shim or runc may need at any time, beside the
// paths that they were told; those below proc, sys and dev included.
var systemPaths = []string{
	"/", "/bin", "/sbin", "/lib", "/lib64", "/usr", "/etc", "/opt", "/nix", "/nix/store",
	"/tmp", "/run", "/var", "/var/run", "/var/lib", "/var/log", "/var/tmp",
}

// neededPaths are the paths on which this shim depends.
func neededPaths(cfg policy.Config) ([]string, error) {
	bundle, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return append([]string{bundle, self, cfg.StateDir, cfg.Runc}, systemPaths...), nil
}

// dropForeignMounts detaches every mount that gets no events from the host and
// that holds none of the needed paths, last mounted first.
func dropForeignMounts(needed []string) error {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return strings.Contains(m.Optional, "master:") || isNeeded(m.Mountpoint, needed), false
	})
	if err != nil {
		return fmt.Errorf("read the mounts of the host: %w", err)
	}
	for i := len(mounts) - 1; i >= 0; i-- {
		err := unix.Unmount(mounts[i].Mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return &os.PathError{Op: "detach", Path: mounts[i].Mountpoint, Err: err}
		}
	}
	return nil
}

// isNeeded tells whether the mount at point holds one of the needed paths, or
// belongs to the kernel's own trees.
func isNeeded(point string, needed []string) bool {
	for _, tree := range []string{"/proc", "/sys", "/dev"} {
		if within(point, tree) {
			return true
		}
	}
	return slices.ContainsFunc(needed, func(path string) bool { return within(path, point) })
}

// within tells whether path is dir or lies below it, by their names.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}
