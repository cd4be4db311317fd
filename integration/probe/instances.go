package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// instance is what one way to a procfs or sysfs shows.
type instance struct {
	Name  string `json:"name"`
	Errno string `json:"errno,omitempty"` // of the way
	// What is read there, or the error in brackets. Of a procfs: the first line of meminfo,
	// the number of fields of uptime, a setting, and what is masked where the client masks
	// it. Of a sysfs: the CPUs.
	Meminfo string `json:"meminfo,omitempty"`
	Uptime  string `json:"uptime,omitempty"`
	Panic   string `json:"panic,omitempty"`
	Keys    string `json:"keys,omitempty"`
	Write   string `json:"write,omitempty"` // of writing the setting back
	Online  string `json:"online,omitempty"`
	Links   string `json:"links,omitempty"` // where /self leads
}

// way makes a procfs or a sysfs appear. It returns where, at dir or below it.
type way struct {
	name string
	run  func(dir string) (root string, err error)
}

// ways are tried in this order, each in a directory of its own.
var ways = []way{
	{"the container's", func(string) (string, error) { return "/proc", nil }},
	{"sys/the container's", func(string) (string, error) { return "/sys", nil }},

	{"mount", func(dir string) (string, error) { return dir, unix.Mount("proc", dir, "proc", 0, "") }},
	{"mount with flags", func(dir string) (string, error) {
		return dir, unix.Mount("none", dir, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RELATIME, "")
	}},
	{"mount with hidepid", func(dir string) (string, error) { return dir, unix.Mount("proc", dir, "proc", 0, "hidepid=2") }},
	{"mount at a relative path", mountRelative},
	{"mount at a link", mountAtLink},
	{"mount at a descriptor", func(dir string) (string, error) { return mountAtDescriptor(dir, "/proc/self/fd/%d") }},
	{"mount at a descriptor of the thread", func(dir string) (string, error) { return mountAtDescriptor(dir, "/proc/thread-self/fd/%d") }},
	{"mount over /proc itself", func(string) (string, error) {
		return "/proc", unix.Mount("proc", "/proc", "proc", 0, "")
	}},
	{"sys/mount", func(dir string) (string, error) { return dir, unix.Mount("sysfs", dir, "sysfs", 0, "") }},
	{"sys/mount read-only", func(dir string) (string, error) {
		return dir, unix.Mount("sysfs", dir, "sysfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}},

	{"fsopen", func(dir string) (string, error) { return fsopenInstance(dir, "proc") }},
	{"sys/fsopen", func(dir string) (string, error) { return fsopenInstance(dir, "sysfs") }},

	{"bind", func(dir string) (string, error) { return dir, unix.Mount("/proc", dir, "", unix.MS_BIND, "") }},
	{"bind, recursive", func(dir string) (string, error) {
		return dir, unix.Mount("/proc", dir, "", unix.MS_BIND|unix.MS_REC, "")
	}},
	{"bind of a new one", bindOfNew},
	{"sys/bind", func(dir string) (string, error) { return dir, unix.Mount("/sys", dir, "", unix.MS_BIND, "") }},
	{"sys/bind, recursive", func(dir string) (string, error) {
		return dir, unix.Mount("/sys", dir, "", unix.MS_BIND|unix.MS_REC, "")
	}},
	{"bind of the root, recursive", func(dir string) (string, error) {
		return filepath.Join(dir, "proc"), unix.Mount("/", dir, "", unix.MS_BIND|unix.MS_REC, "")
	}},
	{"move", moveNew},
	{"open_tree", func(dir string) (string, error) { return cloneInstance("/proc", dir, 0) }},
	{"open_tree, recursive", func(dir string) (string, error) { return cloneInstance("/proc", dir, unix.AT_RECURSIVE) }},
	{"sys/open_tree", func(dir string) (string, error) { return cloneInstance("/sys", dir, 0) }},
	{"chroot", func(string) (string, error) { return "", runSelf("instances-chroot", 0) }},
}

// mountRelative names the target from the working directory.
func mountRelative(dir string) (string, error) {
	if err := unix.Chdir(filepath.Dir(dir)); err != nil {
		return "", err
	}
	defer unix.Chdir("/")
	return dir, unix.Mount("proc", "./"+filepath.Base(dir), "proc", 0, "")
}

func mountAtLink(dir string) (string, error) {
	link := dir + ".link"
	if err := os.Symlink(dir, link); err != nil {
		return "", err
	}
	defer os.Remove(link)
	return dir, unix.Mount("proc", link, "proc", 0, "")
}

// mountAtDescriptor names the target by a link in /proc, as runc and systemd do.
func mountAtDescriptor(dir, format string) (string, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return dir, unix.Mount("proc", fmt.Sprintf(format, fd), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// fsopenInstance makes one by the newer calls, of which the first may be refused.
func fsopenInstance(dir, kind string) (string, error) {
	fd, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.FsconfigCreate(fd); err != nil {
		return "", err
	}
	mount, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return "", err
	}
	defer unix.Close(mount)
	return dir, unix.MoveMount(mount, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func bindOfNew(dir string) (string, error) {
	first, err := scratchFor("/")
	if err != nil {
		return "", err
	}
	defer os.Remove(first)
	if err := unix.Mount("proc", first, "proc", 0, ""); err != nil {
		return "", err
	}
	defer unix.Unmount(first, unix.MNT_DETACH)
	return dir, unix.Mount(first, dir, "", unix.MS_BIND, "")
}

// moveNew moves a new instance. Mounts that are shared cannot be moved, so it is in a mount
// of its own that is not.
func moveNew(dir string) (string, error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return "", err
	}
	if err := unix.Mount("", dir, "", unix.MS_PRIVATE, ""); err != nil {
		return "", err
	}
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := errors.Join(os.Mkdir(from, 0o755), os.Mkdir(to, 0o755)); err != nil {
		return "", err
	}
	if err := unix.Mount("proc", from, "proc", 0, ""); err != nil {
		return "", err
	}
	return to, unix.Mount(from, to, "", unix.MS_MOVE, "")
}

func cloneInstance(source, dir string, flags uint) (string, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return dir, unix.MoveMount(fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// instances tries every way here, and in children with namespaces of their own.
func instances([]string) (any, error) {
	report := allInstances("")
	for _, n := range []struct {
		prefix string
		flags  uintptr
	}{
		{"newns/", unix.CLONE_NEWNS},
		{"newpid/", unix.CLONE_NEWNS | unix.CLONE_NEWPID},
		{"newuser/", unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWNET},
	} {
		report = append(report, nestedInstances(n.prefix, n.flags)...)
	}
	return report, nil
}

// nestedInstances runs allInstances in a child with new namespaces. The child's /proc is
// still the outer one's.
func nestedInstances(prefix string, flags uintptr) []instance {
	cmd := exec.Command("/proc/self/exe", "instances-inner", prefix)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if flags&unix.CLONE_NEWUSER != 0 {
		all := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = all, all
	}
	out, err := cmd.Output()
	if err != nil {
		return []instance{{Name: prefix, Errno: errno(err)}}
	}
	var report []instance
	if err := json.Unmarshal(out, &report); err != nil {
		return []instance{{Name: prefix, Errno: err.Error()}}
	}
	return report
}

func instancesInner(args []string) (any, error) {
	// What is mounted here must not reach the parent's mount namespace.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	return allInstances(args[0]), nil
}

func allInstances(prefix string) []instance {
	var report []instance
	for _, w := range ways {
		report = append(report, w.try(prefix))
	}
	return append(report, int80Instances(prefix)...)
}

// try goes a way, looks at what is there, and takes it away again.
func (w way) try(prefix string) instance {
	i := instance{Name: prefix + w.name}
	dir, err := os.MkdirTemp("/tmp", "instance-")
	if err != nil {
		i.Errno = errno(err)
		return i
	}
	defer os.Remove(dir)
	root, err := w.run(dir)
	defer unix.Unmount(dir, unix.MNT_DETACH)
	if w.name == "mount over /proc itself" && err == nil {
		defer unix.Unmount("/proc", unix.MNT_DETACH)
	}
	if err != nil {
		i.Errno = errno(err)
		return i
	}
	if w.name == "chroot" { // it was looked at there
		return reported(i)
	}
	i.look(root, strings.HasPrefix(w.name, "sys/"))
	return i
}

// look reads what the instance shows.
func (i *instance) look(root string, sysfs bool) {
	if sysfs {
		i.Online = readSetting(filepath.Join(root, "devices/system/cpu/online"))
		return
	}
	i.Meminfo, _, _ = strings.Cut(readSetting(filepath.Join(root, "meminfo")), "\n")
	i.Uptime = fmt.Sprint(len(strings.Fields(readSetting(filepath.Join(root, "uptime")))))
	i.Panic = readSetting(filepath.Join(root, "sys/kernel/panic"))
	i.Keys = readSetting(filepath.Join(root, "keys"))
	i.Write = errno(writeExisting(filepath.Join(root, "sys/kernel/panic"), i.Panic))
	i.Links, _ = os.Readlink(filepath.Join(root, "self"))
}

// chrootReport is how the child of the way "chroot" hands over what it saw.
const chrootReport = "/tmp/instance-chroot.json"

func runSelf(command string, flags uintptr) error {
	cmd := exec.Command("/proc/self/exe", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return os.WriteFile(chrootReport, out, 0o600)
}

func reported(i instance) instance {
	var seen instance
	if err := json.Unmarshal([]byte(readFile(chrootReport)), &seen); err != nil {
		i.Errno = err.Error()
		return i
	}
	seen.Name = i.Name
	return seen
}

// instancesChroot mounts a procfs in another root directory, and looks at it there.
func instancesChroot([]string) (any, error) {
	root, err := scratchFor("/")
	if err != nil {
		return nil, err
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
		return nil, err
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	if err := os.Mkdir(filepath.Join(root, "p"), 0o755); err != nil {
		return nil, err
	}
	back, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(unix.Chroot(root), unix.Chdir("/")); err != nil {
		return nil, err
	}
	i := instance{Errno: errno(unix.Mount("proc", "/p", "proc", 0, ""))}
	i.look("/p", false)
	_ = unix.Unmount("/p", unix.MNT_DETACH)
	return i, errors.Join(unix.Fchdir(back), unix.Chroot("."))
}
