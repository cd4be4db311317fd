package linux

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestHoldTree: each copy has all that the tree had, stands for itself, and stays when the tree
// is let go; nothing but the tree is in its mount namespace.
func TestHoldTree(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Tmpfs(t)
	must(t, os.Mkdir(dir+"/below", 0o755))
	var held *Held
	must(t, OnThread(func() error {
		if err := errors.Join(NewMountNS(), Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			Mount("none", dir+"/below", "tmpfs", unix.MS_RDONLY, "")); err != nil {
			return err
		}
		tree, err := OpenTree(nil, dir, true)
		if err != nil {
			return err
		}
		defer tree.Close()
		held, err = HoldTree(tree)
		return err
	}))
	var copies [2]*os.File
	for i := range copies {
		var err error
		copies[i], err = held.Copy()
		must(t, err)
		defer copies[i].Close()
	}
	must(t, OnThread(func() error {
		if err := EnterMountNS(held.ns); err != nil {
			return err
		}
		var s unix.Statfs_t
		if err := unix.Statfs("/", &s); err != nil {
			return err
		}
		if s.Type != unix.TMPFS_MAGIC {
			t.Errorf("the root is of type %#x", s.Type)
		}
		if _, err := os.Stat("/below"); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat("/etc"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the host's tree is there: %v", err)
		}
		return nil
	}))
	held.Close()
	must(t, SetAttr(copies[0], Attr{Set: unix.MOUNT_ATTR_NOEXEC}))
	for i, want := range []bool{true, false} {
		below, err := OpenAt(copies[i], "below", unix.O_PATH, 0)
		must(t, err)
		readOnly, err := IsReadOnly(below)
		must(t, errors.Join(err, below.Close()))
		if !readOnly {
			t.Errorf("copy %d lacks what is mounted in it", i)
		}
		flags, err := MountFlags(copies[i])
		must(t, err)
		if noexec := flags&unix.ST_NOEXEC != 0; noexec != want {
			t.Errorf("copy %d: noexec %v", i, noexec)
		}
	}
}

// TestUniqueMount: two mounts of one file system have two numbers, and one mount has one.
func TestUniqueMount(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir, err := OpenPath(linuxtest.Tmpfs(t))
	must(t, err)
	defer dir.Close()
	first, ok := UniqueMount(dir)
	if !ok {
		t.Skip("STATX_MNT_ID_UNIQUE needs Linux 6.8")
	}
	tree, err := OpenTree(dir, "", false)
	must(t, err)
	defer tree.Close()
	if again, _ := UniqueMount(dir); again != first {
		t.Errorf("%d and %d for one mount", first, again)
	}
	if second, _ := UniqueMount(tree); second == first {
		t.Errorf("%d for two mounts", first)
	}
}
