package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// attack is one way to make a read-only mount writable. It returns where the
// content of the mount may be writable afterwards, beside the mount itself.
type attack struct {
	name string
	run  func(path, scratch string) (places []string, err error)
}

var attacks = []attack{
	{"remount", func(path, _ string) ([]string, error) {
		return nil, unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND, "")
	}},
	{"remount-superblock", func(path, _ string) ([]string, error) {
		return nil, unix.Mount("", path, "", unix.MS_REMOUNT, "")
	}},
	{"bind-remount", func(path, scratch string) ([]string, error) {
		if err := unix.Mount(path, scratch, "", unix.MS_BIND, ""); err != nil {
			return nil, err
		}
		return []string{scratch}, unix.Mount("", scratch, "", unix.MS_REMOUNT|unix.MS_BIND, "")
	}},
	{"rbind-root-remount", func(path, scratch string) ([]string, error) {
		if err := unix.Mount("/", scratch, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return nil, err
		}
		again := filepath.Join(scratch, path)
		return []string{again}, unix.Mount("", again, "", unix.MS_REMOUNT|unix.MS_BIND, "")
	}},
	{"mount_setattr", func(path, _ string) ([]string, error) { return nil, clearReadOnly(unix.AT_FDCWD, path, 0) }},
	{"mount_setattr-recursive", func(path, _ string) ([]string, error) {
		return nil, clearReadOnly(unix.AT_FDCWD, path, unix.AT_RECURSIVE)
	}},
	{"open_tree", func(path, scratch string) ([]string, error) { return openTree(path, scratch, 0) }},
	{"open_tree-recursive", func(path, scratch string) ([]string, error) {
		return openTree(path, scratch, unix.AT_RECURSIVE)
	}},
	{"fspick", func(path, _ string) ([]string, error) { return nil, reconfigure(path) }},
	{"fsopen", fsopenDisk},
}

// removals take the mount away, if they succeed, so they come last.
var removals = []attack{
	{"move", func(path, scratch string) ([]string, error) {
		return nil, unlocked(unix.Mount(path, scratch, "", unix.MS_MOVE, ""))
	}},
	{"umount", func(path, _ string) ([]string, error) { return nil, unlocked(unix.Unmount(path, 0)) }},
	{"umount-detach", func(path, _ string) ([]string, error) {
		return nil, unlocked(unix.Unmount(path, unix.MNT_DETACH))
	}},
}

// errUnlocked is reported when a mount could be taken away: what lay below it
// would appear.
var errUnlocked = errors.New("the mount is not locked in place")

func unlocked(err error) error {
	if err == nil {
		return errUnlocked
	}
	return err
}

func clearReadOnly(fd int, path string, flags uint) error {
	return unix.MountSetattr(fd, path, flags, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
}

// openTree makes a detached copy of the mount, makes that writable and attaches it.
func openTree(path, scratch string, flags uint) ([]string, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := clearReadOnly(fd, "", unix.AT_EMPTY_PATH|flags); err != nil {
		return nil, err
	}
	return []string{scratch}, unix.MoveMount(fd, "", unix.AT_FDCWD, scratch, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func reconfigure(path string) error {
	fd, err := unix.Fspick(unix.AT_FDCWD, path, unix.FSPICK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.FsconfigSetFlag(fd, "rw"); err != nil {
		return err
	}
	return unix.FsconfigReconfigure(fd)
}

// fsopenDisk mounts the file system's disk once more.
func fsopenDisk(path, scratch string) ([]string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, err
	}
	node := scratch + ".disk"
	if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(st.Dev)); err != nil {
		return nil, err
	}
	defer os.Remove(node)
	fd, err := unix.Fsopen("ext4", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.FsconfigSetString(fd, "source", node); err != nil {
		return nil, err
	}
	if err := unix.FsconfigCreate(fd); err != nil {
		return nil, err
	}
	mount, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(mount)
	return []string{scratch}, unix.MoveMount(mount, "", unix.AT_FDCWD, scratch, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// attackReadOnly tries everything against the read-only mount at args[0].
func attackReadOnly(args []string) (any, error) {
	rounds := 3000
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return nil, err
		}
		rounds = n
	}
	path := args[0]
	report := attackAll(path, "", attacks)
	report = append(report, nested(path, "newns/", unix.CLONE_NEWNS, "attack-ro-inner")...)
	report = append(report, nested(path, "newuser/", unix.CLONE_NEWNS|unix.CLONE_NEWUSER, "attack-ro-inner")...)
	report = append(report, nested(path, "int80/", 0, "attack-32")...)
	report = append(report, race(path, rounds))
	return append(report, attackAll(path, "", removals)...), nil
}

func attackReadOnlyInner(args []string) (any, error) {
	return append(attackAll(args[0], args[1], attacks), attackAll(args[0], args[1], removals)...), nil
}

func attackAll(path, prefix string, attacks []attack) []attempt.Attempt {
	var report []attempt.Attempt
	for _, a := range attacks {
		report = append(report, attackOnce(a, path, prefix))
	}
	return report
}

func attackOnce(a attack, path, prefix string) attempt.Attempt {
	scratch, err := scratchFor(path)
	if err != nil {
		return attempt.Attempt{Name: prefix + a.name, Errno: errno(err)}
	}
	places, err := a.run(path, scratch)
	result := attempt.Attempt{Name: prefix + a.name, Errno: errno(err), Effect: errors.Is(err, errUnlocked)}
	for _, place := range append(places, path) {
		// With errUnlocked, path is no longer the mount that was attacked.
		if result.Effect || written(place) {
			result.Effect, result.Detail = true, "wrote below "+place
			break
		}
	}
	if a.name == "fsopen" && err == nil {
		// That was the root of the host's disk: under runc, the control, it works.
		_ = os.Remove(filepath.Join(scratch, writtenFile))
	}
	_ = unix.Unmount(scratch, unix.MNT_DETACH)
	_ = os.Remove(scratch)
	_ = unix.Mount("", path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	return result
}

// scratchFor makes a mount point that fits the type of path.
func scratchFor(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	for _, dir := range []string{"/tmp", "/dev/shm"} {
		if info.IsDir() {
			if scratch, err := os.MkdirTemp(dir, "attack-"); err == nil {
				return scratch, nil
			}
		} else if f, err := os.CreateTemp(dir, "attack-"); err == nil {
			return f.Name(), f.Close()
		}
	}
	return "", errors.New("no writable directory for mount points")
}

// writtenFile is what a successful attack makes in a directory.
const writtenFile = "written-by-attack"

// written tries to write below a directory, or to a file.
func written(place string) bool {
	flags := os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(place); err == nil && info.IsDir() {
		place, flags = filepath.Join(place, writtenFile), flags|os.O_CREATE
	}
	f, err := os.OpenFile(place, flags, 0o644)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.WriteString("written\n")
	return err == nil
}

// nested runs a subcommand in a child with namespaces of its own.
func nested(path, prefix string, flags uintptr, command string) []attempt.Attempt {
	return nestedWith([]string{command, path, prefix}, flags)
}

// nestedWith is nested with other arguments, of which the last one is the prefix.
func nestedWith(args []string, flags uintptr) []attempt.Attempt {
	command, prefix := args[0], args[len(args)-1]
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if flags&unix.CLONE_NEWUSER != 0 {
		all := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = all, all
	}
	out, err := cmd.Output()
	if err != nil {
		return []attempt.Attempt{{Name: prefix + command, Errno: errno(err)}}
	}
	var report []attempt.Attempt
	if err := json.Unmarshal(out, &report); err != nil {
		return []attempt.Attempt{{Name: prefix + command, Errno: err.Error(), Effect: true}}
	}
	return report
}

// cString is a NUL-terminated copy of s.
func cString(s string) *byte { return unsafe.SliceData(append([]byte(s), 0)) }
