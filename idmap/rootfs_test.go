package idmap

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// layers makes an image of n layers in dir, as a snapshotter does, and gives
// the overlay of it. The lowest layer has the files of a small system.
func layers(t testing.TB, dir string, n int) Mount {
	t.Helper()
	var lowers []string
	for i := range n {
		lower := filepath.Join(dir, "snapshots", strconv.Itoa(i), "fs")
		must(t, os.MkdirAll(lower, 0o755))
		lowers = append([]string{lower}, lowers...)
	}
	fillImage(t, lowers[len(lowers)-1])
	top := filepath.Join(dir, "snapshots", strconv.Itoa(n))
	must(t, os.MkdirAll(top+"/fs", 0o755))
	must(t, os.MkdirAll(top+"/work", 0o711))
	return Mount{Type: "overlay", Source: "overlay", Options: []string{
		"index=off", "lowerdir=" + strings.Join(lowers, ":"),
		"upperdir=" + top + "/fs", "workdir=" + top + "/work",
	}}
}

// fillImage puts the files of a small system into dir.
func fillImage(t testing.TB, dir string) {
	t.Helper()
	for _, d := range []string{"etc", "olddir", "bin", "home", "lib", "dev", "proc", "sys", "run"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	for _, f := range []struct {
		path     string
		mode     uint32
		uid, gid int
	}{
		{"etc/passwd", 0o644, 0, 0},
		{"etc/gone", 0o644, 0, 0},
		{"etc/move", 0o644, 0, 0},
		{"olddir/file", 0o644, 0, 0},
		{"lib/library", 0o644, 0, 0},
		{"bin/ping", 0o755, 0, 0},
		{"bin/su", 0o4755, 0, 0},
		{"home/user", 0o600, 1000, 1000},
		{"home/top", 0o600, 65535, 65535},
	} {
		p := filepath.Join(dir, f.path)
		must(t, os.WriteFile(p, []byte(f.path), 0o600))
		must(t, os.Lchown(p, f.uid, f.gid))
		must(t, unix.Chmod(p, f.mode))
	}
}

func mountRootfs(t testing.TB, r Range, rootfs Rootfs) (strategy string) {
	t.Helper()
	staged(t, r, func(s *Stage) error {
		root, name, err := s.Rootfs(rootfs)
		if err != nil {
			return err
		}
		strategy = name
		return root.Close()
	})
	return strategy
}

func TestRootfsWorks(t *testing.T) {
	linuxtest.Root(t)
	for _, backing := range linuxtest.Backings {
		t.Run(backing.Name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			dir, at := backing.Dir(t), target(t)
			m := layers(t, dir, 3)
			if got := mountRootfs(t, testRange, Rootfs{Mounts: []Mount{m}, Target: at}); got != "overlay" {
				t.Fatalf("strategy %s", got)
			}
			out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "work", at)
			if err != nil {
				t.Fatal(out)
			}
			want := "new 1000:1001\npasswd 0:0\nping 0:0\nuser 1000:1000"
			if out != want {
				t.Errorf("inside:\n%s\nwant:\n%s", out, want)
			}
			checkUpper(t, filepath.Join(dir, "snapshots/3/fs"))
			wantOwner(t, filepath.Join(dir, "snapshots/0/fs/home/user"), "1000:1000")
		})
	}
}

// checkUpper checks what childWork left on disk: plain owners.
func checkUpper(t *testing.T, upper string) {
	t.Helper()
	for path, want := range map[string]string{
		".": "0:0", "new": "1000:1001", "top": "65535:65535", "etc/passwd": "0:0",
		"etc/gone": "0:0", "olddir": "0:0", "fifo": "0:0", "soft": "0:0", "etc/moved": "0:0",
		"../work/work": "0:0",
	} {
		wantOwner(t, filepath.Join(upper, path), want)
	}
	err := filepath.WalkDir(upper, func(path string, _ os.DirEntry, err error) error {
		must(t, err)
		if o, _ := owner(path); strings.Contains(o, "70") {
			t.Errorf("%s belongs to %s", path, o)
		}
		return nil
	})
	must(t, err)
}
