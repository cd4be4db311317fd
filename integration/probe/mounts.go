package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// mounters mount one type of file system at a directory and use it once.
var mounters = map[string]func(dir string) error{
	"tmpfs":   mountTmpfs,
	"bind":    func(dir string) error { return unix.Mount("/bin", dir, "", unix.MS_BIND, "") },
	"overlay": mountOverlay,
	"proc":    func(dir string) error { return unix.Mount("proc", dir, "proc", 0, "") },
	"sysfs":   func(dir string) error { return unix.Mount("sysfs", dir, "sysfs", 0, "") },
	"mqueue":  func(dir string) error { return unix.Mount("mqueue", dir, "mqueue", 0, "") },
	"devpts": func(dir string) error {
		return unix.Mount("devpts", dir, "devpts", 0, "newinstance,ptmxmode=0666,mode=0620")
	},
	"cgroup":      mountCgroup,
	"fuse":        mountFuse,
	"binfmt_misc": func(dir string) error { return unix.Mount("binfmt_misc", dir, "binfmt_misc", 0, "") },
}

// mounts tries to mount each of the types in args.
func mounts(args []string) (any, error) {
	var report []attempt.Attempt
	for _, kind := range args {
		mount, ok := mounters[kind]
		if !ok {
			return nil, fmt.Errorf("mount: unknown type %q", kind)
		}
		dir, err := os.MkdirTemp("/tmp", "mount-")
		if err != nil {
			return nil, err
		}
		report = append(report, try(kind, mount(dir)))
		_ = unix.Unmount(dir, unix.MNT_DETACH)
		_ = os.Remove(dir)
	}
	return report, nil
}

// mountTmpfs also takes the way that P09 names: read-only by a remount.
func mountTmpfs(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o600); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o600); !errors.Is(err, unix.EROFS) {
		return errors.New("tmpfs is writable after remount,ro")
	}
	return nil
}

// mountOverlay has its upper directory on a tmpfs: an overlay cannot have it on
// another overlay, which the root file system may be.
func mountOverlay(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	for _, name := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	merged := filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=/etc,upperdir=%s/upper,workdir=%s/work,userxattr", dir, dir)
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(merged, "hostname"), []byte("changed\n"), 0o644)
}

// mountCgroup mounts the hierarchy of the first controller on cgroup v1, the
// unified one on v2.
func mountCgroup(dir string) error {
	for line := range strings.Lines(readFile("/proc/self/cgroup")) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) == 3 && fields[1] != "" {
			return unix.Mount("cgroup", dir, "cgroup", 0, fields[1])
		}
	}
	return unix.Mount("cgroup2", dir, "cgroup2", 0, "")
}

func mountFuse(dir string) error {
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer device.Close()
	return unix.Mount("probe", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device.Fd()))
}

// limits are files that no container may write, by the name of the attempt.
var limits = map[string]string{
	"memory.max": "max", "memory.limit_in_bytes": "-1",
	"pids.max": "max", "cpu.max": "max", "cpu.cfs_quota_us": "-1", "cpuset.cpus": "0",
	"devices.allow": "a", "cgroup.kill": "", "cgroup.freeze": "0", "freezer.state": "THAWED",
}

// cgroups tries, in each mounted hierarchy, to make a cgroup, to put a process
// there ("delegate/…"), and to write the limits of this container ("limit/…").
func cgroups([]string) (any, error) {
	report := []attempt.Attempt{}
	for line := range strings.Lines(readFile("/proc/self/mountinfo")) {
		left, right, _ := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if len(fields) < 5 || !strings.HasPrefix(right, "cgroup") {
			continue
		}
		dir := fields[4]
		report = append(report, try("delegate/"+dir, delegate(dir)))
		for name, value := range limits {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				report = append(report, try("limit/"+path, writeExisting(path, value)))
			}
		}
	}
	return report, nil
}

// delegate makes a cgroup below dir, and moves a child there and back.
func delegate(dir string) error {
	sub := filepath.Join(dir, "probe-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(sub, 0o755); err != nil {
		return err
	}
	defer os.Remove(sub)
	if strings.HasSuffix(dir, "/cpuset") { // cpuset(7): both must be set first
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := writeExisting(filepath.Join(sub, name), readFile(filepath.Join(dir, name))); err != nil {
				return err
			}
		}
	}
	child := exec.Command("/bin/cat")
	stdin, err := child.StdinPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	defer child.Wait()
	defer stdin.Close()
	return writeExisting(filepath.Join(sub, "cgroup.procs"), strconv.Itoa(child.Process.Pid))
}

// writeExisting writes to a file without making one.
func writeExisting(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}
