package idmap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// place stages a volume with the given attributes at path below root.
func place(s *Stage, root *os.File, source, path string, a VolumeAttr) error {
	src, err := OpenSource(nil, source)
	if err != nil {
		return err
	}
	defer src.Close()
	tree, err := s.Volume(src, a)
	if err != nil {
		return err
	}
	defer tree.Close()
	return attachAt(s, root, tree, path, src.Stat.IsDir())
}

// attachAt mounts a tree at a path inside the root.
func attachAt(s *Stage, root, tree *os.File, path string, dir bool) error {
	at, _, err := s.MountPoint(root, path, dir)
	if err != nil {
		return err
	}
	defer at.Close()
	return Attach(tree, at)
}

const lockedAttr = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// TestLocked: what is staged is locked by the kernel when the mount namespace
// is copied into the container's user namespace.
func TestLocked(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir, at, vol := linuxtest.Dir(t), target(t), linuxtest.Dir(t)
	m := layers(t, dir, 2)
	sub := filepath.Join(vol, "sub")
	must(t, os.Mkdir(sub, 0o755))
	must(t, os.WriteFile(vol+"/file", []byte("host"), 0o666))
	must(t, unix.Mount("tmpfs", sub, "tmpfs", 0, ""))
	t.Cleanup(func() { unmount(sub) })
	must(t, os.WriteFile(sub+"/file", []byte("host"), 0o666))
	for _, d := range []string{"up", "work", "sub/up", "sub/work"} {
		must(t, os.Mkdir(filepath.Join(vol, d), 0o777))
	}
	staged(t, testRange, func(s *Stage) error {
		root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
		if err != nil {
			return err
		}
		defer root.Close()
		return place(s, root, vol, "/vol", VolumeAttr{Recursive: true, Set: lockedAttr})
	})
	for _, child := range []string{"attack", "nested"} {
		out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, child, at, "/vol", "/vol/sub")
		if err != nil || out != "" {
			t.Errorf("%s: %v\n%s", child, err, out)
		}
	}
	for _, f := range []string{vol + "/file", sub + "/file"} {
		if got, err := os.ReadFile(f); string(got) != "host" {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
}

// childAttack makes args[0] the root directory as runc does, and attacks the
// read-only mounts args[1:]. It prints what succeeded or failed in an
// unexpected way.
func childAttack(args []string) error {
	if err := pivot(args[0]); err != nil {
		return fmt.Errorf("pivot: %w", err)
	}
	if err := os.Mkdir("/elsewhere", 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, vol := range args[1:] {
		attack(vol)
		race(vol)
	}
	// Once more from another mount namespace, which only this thread enters.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	for _, vol := range args[1:] {
		attack(vol)
	}
	return nil
}

// childNested is childAttack in a user namespace below the container's.
func childNested(args []string) error {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=attack")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	ids := []syscall.SysProcIDMap{{Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: ids, GidMappings: ids,
	}
	return cmd.Run()
}

// race remounts in one thread and writes in another.
func race(vol string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			_ = unix.Mount("", vol, "", unix.MS_REMOUNT|unix.MS_BIND, "")
			_ = unix.MountSetattr(-int(unix.EBADF), vol, unix.AT_RECURSIVE, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
		}
	}()
	for {
		select {
		case <-done:
			return
		default:
		}
		if fd, err := unix.Open(vol+"/file", unix.O_WRONLY, 0); err == nil {
			fmt.Println(vol, "opened for writing")
			unix.Close(fd)
			return
		}
	}
}

// pivot binds dir on itself with all below and makes it the root, as runc does.
func pivot(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount(dir, dir, "bind", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Chdir("/")
}

func attack(vol string) {
	at := -int(unix.EBADF)
	clearing := func(bits uint64) *unix.MountAttr { return &unix.MountAttr{Attr_clr: bits} }
	setattr := func(fd int, path string, flags uint, bits uint64) error {
		return unix.MountSetattr(fd, path, flags, clearing(bits))
	}
	bound := func(flags uintptr, then func(path string) error) error {
		if err := unix.Mount(vol, "/elsewhere", "", unix.MS_BIND|flags, ""); err != nil {
			return err
		}
		defer unix.Unmount("/elsewhere", unix.MNT_DETACH)
		return then("/elsewhere")
	}
	cloned := func(flags uint, then func(fd int) error) error {
		fd, err := unix.OpenTree(at, vol, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return then(fd)
	}
	for _, try := range []struct {
		name string
		do   func() error
		want unix.Errno
	}{
		{"write", func() error { return os.WriteFile(vol+"/file", []byte("owned"), 0) }, unix.EROFS},
		{"make", func() error { return os.WriteFile(vol+"/new", nil, 0o600) }, unix.EROFS},
		{"remount", func() error { return unix.Mount("", vol, "", unix.MS_REMOUNT, "") }, unix.EPERM},
		{"remount bind", func() error { return unix.Mount("", vol, "", unix.MS_REMOUNT|unix.MS_BIND, "") }, unix.EPERM},
		{"remount rw, other flags kept", func() error {
			return unix.Mount("", vol, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}, unix.EPERM},
		{"remount suid", func() error {
			return unix.Mount("", vol, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}, unix.EPERM},
		{"unmount", func() error { return unix.Unmount(vol, 0) }, unix.EINVAL},
		{"unmount lazily", func() error { return unix.Unmount(vol, unix.MNT_DETACH) }, unix.EINVAL},
		{"move", func() error { return unix.Mount(vol, "/elsewhere", "", unix.MS_MOVE, "") }, unix.EINVAL},
		{"mount_setattr ro", func() error { return setattr(at, vol, 0, unix.MOUNT_ATTR_RDONLY) }, unix.EPERM},
		{"mount_setattr ro, recursive", func() error { return setattr(at, vol, unix.AT_RECURSIVE, unix.MOUNT_ATTR_RDONLY) }, unix.EPERM},
		{"mount_setattr nodev", func() error { return setattr(at, vol, 0, unix.MOUNT_ATTR_NODEV) }, unix.EPERM},
		{"mount_setattr nosuid", func() error { return setattr(at, vol, 0, unix.MOUNT_ATTR_NOSUID) }, unix.EPERM},
		{"mount_setattr noexec", func() error { return setattr(at, vol, 0, unix.MOUNT_ATTR_NOEXEC) }, unix.EPERM},
		{"bind elsewhere and write", func() error {
			return bound(unix.MS_REC, func(p string) error { return os.WriteFile(p+"/file", []byte("owned"), 0) })
		}, unix.EROFS},
		{"bind elsewhere and remount", func() error {
			return bound(unix.MS_REC, func(p string) error { return unix.Mount("", p, "", unix.MS_REMOUNT|unix.MS_BIND, "") })
		}, unix.EPERM},
		{"bind elsewhere and mount_setattr", func() error {
			return bound(unix.MS_REC, func(p string) error { return setattr(at, p, 0, unix.MOUNT_ATTR_RDONLY) })
		}, unix.EPERM},
		{"open_tree clone and mount_setattr", func() error {
			return cloned(unix.AT_RECURSIVE, func(fd int) error {
				return setattr(fd, "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY)
			})
		}, unix.EPERM},
		{"open_tree clone and write", func() error {
			return cloned(unix.AT_RECURSIVE, func(fd int) error {
				fd, err := unix.Openat(fd, "file", unix.O_WRONLY, 0)
				if err == nil {
					unix.Close(fd)
				}
				return err
			})
		}, unix.EROFS},
		{"as upper layer", func() error {
			return unix.Mount("overlay", "/elsewhere", "overlay", 0, "userxattr,lowerdir=/etc,upperdir="+vol+"/up,workdir="+vol+"/work")
		}, unix.EINVAL},
		{"ID-map it again", func() error {
			ns, err := os.Open("/proc/self/ns/user")
			if errors.Is(err, os.ErrNotExist) {
				return unix.EPERM // no procfs in this root
			}
			if err != nil {
				return err
			}
			defer ns.Close()
			return cloned(unix.AT_RECURSIVE, func(fd int) error {
				return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{
					Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd()),
				})
			})
		}, unix.EPERM},
	} {
		if err := try.do(); !errors.Is(err, try.want) {
			fmt.Printf("%s: %s: %v, want %v\n", vol, try.name, err, try.want)
		}
	}
}

// TestLockedRootfs: a root file system that was made read-only after staging
// stays so.
func TestLockedRootfs(t *testing.T) {
	linuxtest.Root(t)
	dir, at := linuxtest.Dir(t), target(t)
	m := layers(t, dir, 2)
	staged(t, testRange, func(s *Stage) error {
		root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
		if err != nil {
			return err
		}
		defer root.Close()
		for name, dir := range map[string]bool{"elsewhere": true, "up": true, "work": true, "file": false} {
			at, _, err := s.MountPoint(root, name, dir)
			if err != nil {
				return err
			}
			at.Close()
		}
		return linux.SetAttr(root, linux.Attr{Set: lockedAttr})
	})
	out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "attack", at, "/")
	if err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
}
