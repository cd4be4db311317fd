package linux

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestIsReadOnly(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Tmpfs(t)
	for _, want := range []bool{false, true} {
		f, err := OpenPath(dir)
		must(t, err)
		if want {
			must(t, SetAttr(f, Attr{Set: unix.MOUNT_ATTR_RDONLY}))
		}
		if got, err := IsReadOnly(f); err != nil || got != want {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
		f.Close()
	}
}

// TestFUSE connects to the kernel, which sends INIT, and disconnects.
func TestFUSE(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dev, err := OpenFUSE()
	must(t, err)
	defer dev.Close()
	fs, err := NewFS("fuse")
	must(t, err)
	defer fs.Close()
	must(t, fs.SetNumber("fd", dev))
	for _, p := range [][2]string{{"rootmode", "40000"}, {"user_id", "0"}, {"group_id", "0"}} {
		must(t, fs.Set(p[0], p[1]))
	}
	tree, err := fs.Mount(0)
	must(t, err)
	defer tree.Close()
	n, err := dev.Read(make([]byte, 8192))
	if err != nil || n < 40 {
		t.Error(n, err)
	}
}

// TestNewMountNS: what is mounted there is not seen elsewhere, and goes with the thread.
func TestNewMountNS(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	must(t, OnThread(func() error {
		if err := NewMountNS(); err != nil {
			return err
		}
		if err := Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
			return err
		}
		return os.WriteFile(dir+"/file", nil, 0o600)
	}))
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

func TestDuplicate(t *testing.T) {
	linuxtest.NoLeak(t)
	f, err := OpenPath("/")
	must(t, err)
	d, err := Duplicate(f)
	must(t, err)
	must(t, f.Close())
	defer d.Close()
	if !closeOnExec(t, d.Fd()) {
		t.Error("not close-on-exec")
	}
}
