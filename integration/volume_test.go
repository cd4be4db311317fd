package integration

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// volumeKinds are the file systems that volumes of the tests lie on.
var volumeKinds = []struct {
	name string
	make func(*testing.T) string
}{
	{"ext4", ext4Volume},
	{"tmpfs", tmpfsVolume},
}

// ext4Volume mounts a new ext4 from a loop device.
func ext4Volume(t *testing.T) string {
	t.Helper()
	dir, _ := loopVolume(t)
	return dir
}

// loopVolume is ext4Volume with the path of the device.
func loopVolume(t *testing.T) (dir, device string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 32<<20); err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs.ext4", "-q", "-E", "lazy_itable_init=0", image)
	device = command(t, "losetup", "--find", "--show", image)
	t.Cleanup(func() { command(t, "losetup", "--detach", device) })
	dir = t.TempDir()
	mount(t, device, dir, "ext4", 0)
	if err := os.Remove(filepath.Join(dir, "lost+found")); err != nil {
		t.Fatal(err)
	}
	return dir, device
}

func tmpfsVolume(t *testing.T) string {
	t.Helper()
	needTmpfsVolumes(t)
	dir := t.TempDir()
	mount(t, "volume", dir, "tmpfs", 0)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// mount mounts something on the host until the test ends.
func mount(t *testing.T, source, target, kind string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, ""); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW); err != nil {
			t.Errorf("unmount %s: %v", target, err)
			_ = unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
	})
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := osexec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// file makes a file on the host, with the directories above it.
func file(t *testing.T, path string, uid int, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, uid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// dir makes a directory on the host.
func dir(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// owner returns "uid:gid" of a file on the host.
func owner(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("lstat %s: %v", path, err)
	}
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// listing returns the names, owners and contents below a directory of the host,
// to tell whether anything has changed there.
func listing(t *testing.T, root string) string {
	t.Helper()
	return command(t, "find", root, "-printf", "%P %U:%G %m %s %T@\n")
}

// plainRootfs lays the busybox image out in a directory, for `ctr run --rootfs`.
func plainRootfs(t *testing.T) string {
	t.Helper()
	images, err := buildImages()
	if err != nil {
		t.Fatal(err)
	}
	root := dir(t, filepath.Join(t.TempDir(), "rootfs"))
	if err := images[0].Extract(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	return root
}

const bindFlag = unix.MS_BIND

// needTmpfsVolumes skips a test where the kernel cannot ID-map a tmpfs, so that a volume that is
// one, or has one mounted below, is refused (docs/kernel.md).
func needTmpfsVolumes(t *testing.T) {
	t.Helper()
	if !kernelAtLeast(t, 6, 3) {
		t.Skip("a tmpfs can be ID-mapped from Linux 6.3 on")
	}
}
