package linux

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestLockTree: what is mounted in a tree stays as it is, for the host's root as well.
func TestLockTree(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Tmpfs(t)
	must(t, os.Mkdir(dir+"/below", 0o755))
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
		locked, err := LockTree(tree)
		if err != nil {
			return err
		}
		defer locked.Close()
		at, err := OpenPath(dir)
		if err != nil {
			return err
		}
		defer at.Close()
		if err := MoveMount(locked, at); err != nil {
			return err
		}
		for name, c := range map[string]struct{ got, want error }{
			"unmount":    {unix.Unmount(dir+"/below", unix.MNT_DETACH), unix.EINVAL},
			"read-write": {Mount("", dir+"/below", "", unix.MS_REMOUNT|unix.MS_BIND, ""), unix.EPERM},
			"copy alone": {Mount(dir, "/mnt", "", unix.MS_BIND, ""), unix.EINVAL},
		} {
			if !errors.Is(c.got, c.want) {
				t.Errorf("%s: %v, not %v", name, c.got, c.want)
			}
		}
		return unix.Unmount(dir, unix.MNT_DETACH)
	}))
}
