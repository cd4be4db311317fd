package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// moveMask renames the directory args[1], relative, of the volume args[0], in which it is
// masked, or what it lies in. Here the mask stays on it; where the volume is mounted next,
// nothing is masked by the new name.
func moveMask(args []string) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("move-mask needs a volume and a directory in it")
	}
	volume, masked := args[0], args[1]
	if first, _, deeper := strings.Cut(masked, "/"); deeper {
		err := unix.Rename(filepath.Join(volume, first), filepath.Join(volume, "moved"))
		return []attempt.Attempt{try("rename-parent", err)}, nil
	}
	return nestedWith([]string{"move-mask-detached", volume, masked, "newns/"}, unix.CLONE_NEWNS), nil
}

// moveMaskDetached renames a directory where no mount is in the way: the kernel keeps a
// mount point in its place for those in whose mount namespace it is one.
func moveMaskDetached(args []string) (any, error) {
	volume, err := unix.Open(args[0], unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(volume)
	if err := leaveMounts(args[0]); err != nil {
		return nil, err
	}
	return []attempt.Attempt{try(args[2]+"rename-detached", unix.Renameat(volume, args[1], volume, "moved"))}, nil
}

// leaveMounts gives the process another root, and takes all mounts away that it has.
func leaveMounts(volume string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	root, err := scratchFor(volume)
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
		return err
	}
	old := filepath.Join(root, "old")
	if err := os.Mkdir(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return unix.Unmount("/old", unix.MNT_DETACH)
}
