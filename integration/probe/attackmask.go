package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// maskAttack is one way to look under what is mounted on a directory of a volume. It
// returns where the volume may be seen without it.
type maskAttack struct {
	name string
	run  func(volume, masked, scratch string) (places []string, err error)
}

var maskAttacks = []maskAttack{
	{"read", func(_, _, _ string) ([]string, error) { return nil, nil }},
	{"bind", func(volume, _, scratch string) ([]string, error) {
		return []string{scratch}, unix.Mount(volume, scratch, "", unix.MS_BIND, "")
	}},
	{"rbind-umount", func(volume, masked, scratch string) ([]string, error) {
		if err := unix.Mount(volume, scratch, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return nil, err
		}
		return []string{scratch}, unix.Unmount(filepath.Join(scratch, masked), unix.MNT_DETACH)
	}},
	{"bind-root", func(volume, _, scratch string) ([]string, error) {
		return []string{filepath.Join(scratch, volume)}, unix.Mount("/", scratch, "", unix.MS_BIND, "")
	}},
	{"open_tree", func(volume, _, scratch string) ([]string, error) { return cloneAt(volume, "", scratch, 0) }},
	{"open_tree-recursive-umount", func(volume, masked, scratch string) ([]string, error) {
		return cloneAt(volume, masked, scratch, unix.AT_RECURSIVE)
	}},
	{"overlay", func(volume, _, scratch string) ([]string, error) {
		return []string{scratch}, unix.Mount("overlay", scratch, "overlay", 0, "lowerdir="+volume+":/etc")
	}},
	{"overlay-upper", func(volume, _, scratch string) ([]string, error) {
		work := filepath.Join(volume, "work")
		_ = os.Mkdir(work, 0o755)
		defer os.Remove(work)
		return []string{scratch}, unix.Mount("overlay", scratch, "overlay", 0,
			fmt.Sprintf("lowerdir=/etc,upperdir=%s,workdir=%s,userxattr", volume, work))
	}},
	{"rename", func(volume, masked, _ string) ([]string, error) {
		to := filepath.Join(volume, "renamed")
		err := unix.Rename(filepath.Join(volume, masked), to)
		return []string{to}, err
	}},
	{"exchange", func(volume, masked, _ string) ([]string, error) {
		to := filepath.Join(volume, "exchanged")
		_ = os.Mkdir(to, 0o755)
		err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(volume, masked), unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
		return []string{to}, err
	}},
	{"rmdir", func(volume, masked, _ string) ([]string, error) {
		return nil, unix.Rmdir(filepath.Join(volume, masked))
	}},
	{"move", func(volume, masked, scratch string) ([]string, error) {
		return nil, unix.Mount(filepath.Join(volume, masked), scratch, "", unix.MS_MOVE, "")
	}},
	{"move_mount-beneath", func(volume, masked, scratch string) ([]string, error) {
		fd, err := unix.OpenTree(unix.AT_FDCWD, volume, unix.OPEN_TREE_CLONE|unix.AT_RECURSIVE)
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		const beneath = 0x200 // MOVE_MOUNT_BENEATH, Linux 6.5
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, filepath.Join(volume, masked), unix.MOVE_MOUNT_F_EMPTY_PATH|beneath); err != nil {
			return nil, err
		}
		return []string{filepath.Join(volume, masked)}, unix.Unmount(filepath.Join(volume, masked), 0)
	}},
	{"handle", volumeByHandle},
	{"umount", func(volume, masked, _ string) ([]string, error) {
		return nil, unix.Unmount(filepath.Join(volume, masked), 0)
	}},
	{"umount-detach", func(volume, masked, _ string) ([]string, error) {
		return nil, unix.Unmount(filepath.Join(volume, masked), unix.MNT_DETACH)
	}},
}

// cloneAt attaches a detached copy of a mount, without what is mounted on it at a path.
func cloneAt(from, without, to string, flags uint) ([]string, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return nil, err
	}
	if without != "" {
		err = unix.Unmount(filepath.Join(to, without), unix.MNT_DETACH)
	}
	return []string{to}, err
}

// volumeByHandle opens the files of the volume by numbers that might be theirs: inodes
// after that of the volume's root.
func volumeByHandle(volume, _, _ string) ([]string, error) {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, volume, 0)
	if err != nil {
		return nil, err
	}
	root, err := unix.Open(volume, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(root)
	fd, err := unix.OpenByHandleAt(root, handle, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	place := fmt.Sprintf("/proc/self/fd/%d", fd)
	return []string{place}, nil
}

// attackMask looks for the file args[2] in the directory args[1], relative, of the
// volume args[0], in which it is masked.
func attackMask(args []string) (any, error) {
	if len(args) < 3 {
		return nil, errors.New("attack-mask needs a volume, a directory in it, and a file in that")
	}
	prefix := ""
	if len(args) > 3 {
		prefix = args[3]
	}
	var report []attempt.Attempt
	for _, a := range maskAttacks {
		report = append(report, attackMaskOnce(a, prefix, args[0], args[1], args[2]))
	}
	if prefix == "" {
		const command = "attack-mask"
		report = append(report, nestedWith([]string{command, args[0], args[1], args[2], "newns/"}, unix.CLONE_NEWNS)...)
		report = append(report, nestedWith([]string{command, args[0], args[1], args[2], "newuser/"}, unix.CLONE_NEWNS|unix.CLONE_NEWUSER)...)
	}
	return report, nil
}

func attackMaskOnce(a maskAttack, prefix, volume, masked, file string) attempt.Attempt {
	scratch, err := scratchFor(volume)
	if err != nil {
		return attempt.Attempt{Name: prefix + a.name, Errno: errno(err)}
	}
	places, err := a.run(volume, masked, scratch)
	result := attempt.Attempt{Name: prefix + a.name, Errno: errno(err)}
	for _, place := range append(places, volume, filepath.Join(volume, masked)) {
		for _, name := range []string{filepath.Join(place, masked, file), filepath.Join(place, file)} {
			if data, err := os.ReadFile(name); err == nil {
				result.Effect, result.Detail = true, fmt.Sprintf("%s is %q", name, data)
			}
		}
	}
	if made := filepath.Join(volume, masked, "made"); os.WriteFile(made, nil, 0o600) == nil {
		result.Effect, result.Detail = true, "made "+made
	}
	_ = unix.Unmount(scratch, unix.MNT_DETACH)
	_ = os.Remove(scratch)
	return result
}
