package linux

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestFollowNS: a namespace is found by every path that leads to it, and nothing
// else is opened.
func TestFollowNS(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	link := filepath.Join(dir, "link")
	must(t, os.Symlink("/proc/self/ns/net", link))
	bound := filepath.Join(dir, "bound")
	must(t, os.WriteFile(bound, nil, 0o600))
	must(t, unix.Mount("/proc/self/ns/net", bound, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(bound, unix.MNT_DETACH) })

	own, err := OpenNS(os.Getpid(), "net")
	must(t, err)
	defer own.Close()
	want, err := StatFile(own)
	must(t, err)
	for _, path := range []string{"/proc/self/ns/net", "/proc/thread-self/ns/net", link, bound} {
		ns, err := FollowNS(path)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := StatFile(ns)
		must(t, err)
		if got.Ino != want.Ino || got.Dev != want.Dev {
			t.Errorf("%s is %d, want %d", path, got.Ino, want.Ino)
		}
		if flag, err := NSType(ns); flag != unix.CLONE_NEWNET || err != nil {
			t.Errorf("%s has type %#x, %v", path, flag, err)
		}
		ns.Close()
	}

	fifo := filepath.Join(dir, "fifo")
	must(t, unix.Mkfifo(fifo, 0o600))
	for path, want := range map[string]error{
		fifo: ErrNoNamespace, dir: ErrNoNamespace, "/dev/null": ErrNoNamespace, "/proc/self/ns": ErrNoNamespace,
		filepath.Join(dir, "gone"): os.ErrNotExist,
	} {
		if ns, err := FollowNS(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", path, ns, err, want)
		}
	}
}
