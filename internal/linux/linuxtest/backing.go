package linuxtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Backing is a file system to test on.
type Backing struct {
	Name string
	// Dir gives an empty directory of it, which belongs to root.
	Dir func(t testing.TB) string
}

// Backings are the file systems to test on.
var Backings = []Backing{
	{"directory", Dir},
	{"tmpfs", Tmpfs},
	{"ext4", func(t testing.TB) string { return Image(t, "ext4") }},
}

// Dir is a temporary directory that everybody may pass.
func Dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Tmpfs is a directory on which a new tmpfs is mounted.
func Tmpfs(t testing.TB) string {
	t.Helper()
	dir := Dir(t)
	mount(t, "tmpfs", dir, "tmpfs", "mode=755")
	return dir
}

// Image is a directory on which a new file system is mounted that was made by
// mkfs.<fstype> in a file of 64 MiB.
func Image(t testing.TB, fstype string) string {
	t.Helper()
	dir := Dir(t)
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 64<<20); err != nil {
		t.Fatal(err)
	}
	mkfs, err := exec.LookPath("mkfs." + fstype)
	if err != nil {
		Missing(t, err.Error())
	}
	if out, err := exec.Command(mkfs, "-q", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mount(t, Loop(t, file), dir, fstype, "")
	return dir
}

// Loop is the path of a loop device on file; it goes when it is not used.
func Loop(t testing.TB, file string) string {
	t.Helper()
	backing, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer backing.Close()
	ctl, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		Missing(t, err.Error())
	}
	defer ctl.Close()
	for {
		n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Fatal(err)
		}
		path := "/dev/loop" + strconv.Itoa(n)
		dev, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			Missing(t, err.Error())
		}
		err = unix.IoctlLoopConfigure(int(dev.Fd()), &unix.LoopConfig{
			Fd:   uint32(backing.Fd()),
			Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR},
		})
		if err == unix.EBUSY {
			dev.Close()
			continue // somebody was faster
		}
		if err != nil {
			t.Fatal(err)
		}
		// Closing it before it is mounted would clear it.
		t.Cleanup(func() { dev.Close() })
		return path
	}
}

func mount(t testing.TB, source, target, fstype, data string) {
	t.Helper()
	if err := unix.Mount(source, target, fstype, 0, data); err != nil {
		t.Fatalf("mount %s: %v", fstype, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", target, err)
		}
	})
}
