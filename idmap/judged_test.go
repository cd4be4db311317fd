package idmap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// judge opens what a mount is made of, as its caller does before it decides.
func judge(t *testing.T, m Mount) map[string]*Source {
	t.Helper()
	dirs, err := m.Layers()
	must(t, err)
	judged := map[string]*Source{}
	for _, dir := range dirs {
		source, err := OpenSource(nil, dir)
		must(t, err)
		t.Cleanup(func() { source.Close() })
		judged[dir] = source
	}
	return judged
}

// rootfsError mounts a root file system and gives the error.
func rootfsError(t *testing.T, r Rootfs) (err error) {
	t.Helper()
	staged(t, testRange, func(s *Stage) error {
		root, _, mountErr := s.Rootfs(r)
		if err = mountErr; err == nil {
			root.Close()
		}
		return nil
	})
	return err
}

// exchange puts another directory in the place of one.
func exchange(t *testing.T, dir string) {
	t.Helper()
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.MkdirAll(filepath.Join(dir, "other"), 0o755))
}

// TestJudgedIsMounted exchanges a layer after it was judged.
func TestJudgedIsMounted(t *testing.T) {
	linuxtest.Root(t)
	long := strings.Repeat("x", maxName) // such layers are cloned one by one
	for _, tt := range []struct {
		name    string
		mount   func(dir string) Mount
		change  func(t *testing.T, dir string)
		refused bool
	}{
		{"overlay", func(dir string) Mount { return layers(t, dir, 3) }, func(*testing.T, string) {}, false},
		{"upper exchanged", func(dir string) Mount { return layers(t, dir, 3) }, func(t *testing.T, dir string) { exchange(t, dir+"/snapshots/3/fs") }, true},
		{"work exchanged", func(dir string) Mount { return layers(t, dir, 3) }, func(t *testing.T, dir string) { exchange(t, dir+"/snapshots/3/work") }, true},
		// One by one, it is cloned from the descriptor.
		{"lower exchanged", func(dir string) Mount { return layers(t, dir, 3) }, func(t *testing.T, dir string) { exchange(t, dir+"/snapshots/0/fs") }, false},
		{"lower with a long name exchanged", func(dir string) Mount { return layers(t, dir+"/"+long, 3) }, func(t *testing.T, dir string) {
			exchange(t, dir+"/"+long+"/snapshots/0/fs")
		}, false},
		{"lower in a user's directory", func(dir string) Mount { return layers(t, dir, 3) }, func(t *testing.T, dir string) {
			must(t, os.Chown(dir+"/snapshots/1", 1000, 1000))
		}, false},
		{"upper in a user's directory", func(dir string) Mount { return layers(t, dir, 3) }, func(t *testing.T, dir string) {
			must(t, os.Chown(dir+"/snapshots/3", 1000, 1000))
		}, true},
		{"upper in everybody's directory", func(dir string) Mount { return layers(t, dir, 3) }, func(t *testing.T, dir string) {
			must(t, os.Chmod(dir+"/snapshots/3", 0o777))
		}, true},
		{"directory exchanged", func(dir string) Mount {
			must(t, os.MkdirAll(dir+"/root/etc", 0o755))
			must(t, os.WriteFile(dir+"/root/etc/passwd", nil, 0o644))
			return Mount{Type: "bind", Source: dir + "/root", Options: []string{"rbind"}}
		}, func(t *testing.T, dir string) { exchange(t, dir+"/root") }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			dir := linuxtest.Dir(t)
			m, target := tt.mount(dir), target(t)
			judged := judge(t, m)
			tt.change(t, dir)
			err := rootfsError(t, Rootfs{Mounts: []Mount{m}, Target: target, Judged: judged})
			if tt.refused != errors.Is(err, ErrNotJudged) || !tt.refused && err != nil {
				t.Fatalf("got %v", err)
			}
			if tt.refused {
				return
			}
			if _, err := os.Stat(target + "/other"); err == nil {
				t.Error("the exchanged directory was mounted")
			}
			if _, err := os.Stat(target + "/etc/passwd"); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("nothing was judged", func(t *testing.T) {
		m := layers(t, linuxtest.Dir(t), 2)
		err := rootfsError(t, Rootfs{Mounts: []Mount{m}, Target: target(t), Judged: map[string]*Source{}})
		if !errors.Is(err, ErrNotJudged) {
			t.Errorf("got %v", err)
		}
	})
}
