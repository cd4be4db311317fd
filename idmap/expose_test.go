package idmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// childInner mounts an overlay on args[0] as an engine does, and writes to it.
func childInner(args []string) error {
	unix.Umask(0)
	if err := os.Chdir(args[0]); err != nil {
		return err
	}
	for _, dir := range []string{"inner", "inner/l", "inner/u", "inner/w", "inner/m"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile("inner/l/gone", nil, 0o644); err != nil {
		return err
	}
	if err := unix.Mount("overlay", "inner/m", "overlay", 0, "userxattr,index=off,lowerdir=inner/l,upperdir=inner/u,workdir=inner/w"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := os.WriteFile("inner/m/new", []byte("new"), 0o644); err != nil {
		return err
	}
	return errors.Join(os.Chown("inner/m/new", 1000, 1001), os.Remove("inner/m/gone"))
}

// expose mounts a root file system, and a directory of its writable layer in it.
func expose(t testing.TB, r Rootfs, dir string) (exposed bool, err error) {
	t.Helper()
	staged(t, testRange, func(s *Stage) error {
		root, _, err2 := s.Rootfs(r)
		if err2 != nil {
			return err2
		}
		defer root.Close()
		exposed, err = s.exposeAt(root, dir)
		return nil
	})
	return exposed, err
}

func (s *Stage) exposeAt(root *os.File, dir string) (bool, error) {
	if !s.Writable() {
		return false, nil
	}
	at, resolved, err := s.MountPoint(root, dir, true)
	if err != nil {
		return false, err
	}
	defer at.Close()
	return s.Expose(context.Background(), root, at, resolved)
}

// fillState puts what an engine may have stored into a directory of a layer.
func fillState(t testing.TB, dir string) {
	t.Helper()
	must(t, os.MkdirAll(dir+"/sub/empty", 0o755))
	must(t, os.Chmod(dir, 0o710))
	must(t, os.Chown(dir, 5, 6))
	for name, mode := range map[string]uint32{"file": 0o640, "program": 0o6755, "sub/file": 0o600, "sub/readonly": 0o444} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
		must(t, os.Chown(filepath.Join(dir, name), 1000, 1001))
		must(t, unix.Chmod(filepath.Join(dir, name), mode))
	}
	must(t, unix.Mknod(dir+"/sub/whiteout", unix.S_IFCHR, 0))
	must(t, unix.Mkfifo(dir+"/sub/fifo", 0o600))
	must(t, os.Symlink("/nowhere", dir+"/sub/link"))
	must(t, unix.Setxattr(dir+"/program", "security.capability", capNetRaw(), 0))
}

// tree lists what is below dir: type and mode, owner, and content.
func tree(t testing.TB, dir string) (list []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		must(t, err)
		var st unix.Stat_t
		must(t, unix.Lstat(p, &st))
		name, _ := filepath.Rel(dir, p)
		content, link := []byte(nil), ""
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err = os.ReadFile(p)
		case unix.S_IFLNK:
			link, err = os.Readlink(p)
		}
		must(t, err)
		list = append(list, fmt.Sprintf("%s %o %d:%d %s%s %d", name, st.Mode, st.Uid, st.Gid, content, link, st.Rdev))
		return nil
	}))
	return list
}

// TestExpose: overlays can be mounted in a directory of the writable layer, whatever that
// lies on, and what lower layers have there is kept, as it was.
func TestExpose(t *testing.T) {
	linuxtest.Root(t)
	for _, backing := range linuxtest.Backings {
		t.Run(backing.Name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			dir, at := backing.Dir(t), target(t)
			m := layers(t, dir, 3)
			lower, upper := dir+"/snapshots/1/fs/var/lib/state", dir+"/snapshots/3/fs/var/lib/state"
			fillState(t, lower)
			r := Rootfs{Mounts: []Mount{m}, Target: at}
			for range 2 {
				if ok, err := expose(t, r, "/var/lib/state"); !ok || err != nil {
					t.Fatal(ok, err)
				}
				if want, got := tree(t, lower), tree(t, upper); !slices.Equal(got, want) {
					t.Errorf("in the upper layer:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				unmount(at)
			}
			buf := make([]byte, 64)
			if n, err := unix.Getxattr(upper+"/program", "security.capability", buf); err != nil || !slices.Equal(buf[:n], capNetRaw()) {
				t.Errorf("capability: %x, %v", buf[:max(n, 0)], err)
			}

			if ok, err := expose(t, r, "/var/lib/state"); !ok || err != nil {
				t.Fatal(ok, err)
			}
			wantOwner(t, at+"/var/lib/state/file", "701000:701001")
			if out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "inner", at+"/var/lib/state"); err != nil {
				t.Fatal(out)
			}
			wantOwner(t, upper+"/inner/u/new", "1000:1001")
			wantOwner(t, upper+"/inner/u/gone", "0:0")
			wantOwner(t, upper+"/inner/w/work", "0:0")
			must(t, os.Remove(upper+"/file"))
			unmount(at)

			// What is removed from it does not come back.
			if ok, err := expose(t, r, "/var/lib/state"); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if _, err := os.Lstat(at + "/var/lib/state/file"); !os.IsNotExist(err) {
				t.Error("a file of a lower layer is back:", err)
			}
		})
	}
}

// TestExposeAdopted: where the client has chowned the layers, the directory is as it is on
// disk.
func TestExposeAdopted(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir, at := linuxtest.Dir(t), target(t)
	m := layers(t, dir, 2)
	fillState(t, dir+"/snapshots/1/fs/state")
	chowned(t, dir+"/snapshots/2/fs", testRange)
	m.Options = append(m.Options, "uidmap=0:700000:65536", "gidmap=0:700000:65536")
	if ok, err := expose(t, Rootfs{Mounts: []Mount{m}, Target: at, Adopt: true}, "/state"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	wantOwner(t, at+"/state/file", "701000:701001")
	wantOwner(t, at+"/state/sub/whiteout", "700000:700000")
	if out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "inner", at+"/state"); err != nil {
		t.Fatal(out)
	}
	wantOwner(t, dir+"/snapshots/2/fs/state/inner/u/new", "701000:701001")
}

// TestExposeMerges: what a container has changed in a directory before it was exposed counts.
func TestExposeMerges(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir, at := linuxtest.Dir(t), target(t)
	m := layers(t, dir, 3)
	for i, file := range []string{"0/fs/state/a", "0/fs/state/removed", "1/fs/state/b", "1/fs/state/dir/c", "2/fs/state/a", "3/fs/state/own"} {
		file = filepath.Join(dir, "snapshots", file)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, fmt.Append(nil, i), 0o644))
	}
	must(t, unix.Mknod(dir+"/snapshots/3/fs/state/removed", unix.S_IFCHR, 0))
	if ok, err := expose(t, Rootfs{Mounts: []Mount{m}, Target: at}, "/state"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var got []string
	for _, line := range tree(t, at+"/state") {
		got = append(got, strings.Fields(line)[0]+" "+strings.Fields(line)[3])
	}
	// The whiteout is on disk, where it hid something; it hides nothing any more.
	if want := []string{". 0", "a 4", "b 2", "dir 0", "dir/c 3", "own 5", "removed 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestExposeGoesOn: whiteouts are kept although an earlier start got to their directory.
func TestExposeGoesOn(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir, at := linuxtest.Dir(t), target(t)
	m := layers(t, dir, 3)
	lower, upper := dir+"/snapshots/1/fs/state", dir+"/snapshots/3/fs/state"
	fillState(t, lower)
	must(t, os.MkdirAll(dir+"/snapshots/0/fs/state/sub", 0o755))
	must(t, os.WriteFile(dir+"/snapshots/0/fs/state/sub/whiteout", nil, 0o644))
	must(t, unix.Setxattr(lower+"/sub", "trusted.overlay.opaque", []byte("y"), 0))
	r := Rootfs{Mounts: []Mount{m}, Target: at}
	mountRootfs(t, testRange, r)
	must(t, os.Chtimes(at+"/state/sub", time.Unix(1, 0), time.Unix(1, 0)))
	unmount(at)
	if _, err := os.Lstat(upper + "/sub"); err != nil {
		t.Fatal("nothing was copied up:", err)
	}
	if ok, err := expose(t, r, "/state"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if want, got := tree(t, lower), tree(t, upper); !slices.Equal(got, want) {
		t.Errorf("in the upper layer:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestExposeRefuses: what cannot be exposed stays on the overlay, and says why.
func TestExposeRefuses(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	for _, tc := range []struct {
		name, dir string
		change    func(lower, upper string) error
		want      error
	}{
		{"a link in the upper layer only", "/state", func(lower, upper string) error {
			return errors.Join(os.Mkdir(lower+"/state", 0o755), os.MkdirAll(upper+"/etc", 0o755), os.Symlink("/etc", upper+"/state"))
		}, nil},
		{"a file", "/etc/passwd", func(string, string) error { return nil }, ErrMountPoint},
		{"nested too deep", "/state", func(lower, _ string) error {
			return os.MkdirAll(lower+"/state"+strings.Repeat("/d", maxDepth+1), 0o755)
		}, ErrMountPoint},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, at := linuxtest.Dir(t), target(t)
			m := layers(t, dir, 1)
			must(t, tc.change(dir+"/snapshots/0/fs", dir+"/snapshots/1/fs"))
			ok, err := expose(t, Rootfs{Mounts: []Mount{m}, Target: at}, tc.dir)
			if !errors.Is(err, tc.want) || ok != (tc.want == nil) {
				t.Errorf("got %v, %v; want %v", ok, err, tc.want)
			}
		})
	}
	t.Run("no writable layer", func(t *testing.T) {
		dir, at := linuxtest.Dir(t), target(t)
		m := layers(t, dir, 2)
		m.Options = m.Options[:2]
		if ok, err := expose(t, Rootfs{Mounts: []Mount{m}, Target: at}, "/state"); ok || err != nil {
			t.Error(ok, err)
		}
	})
	t.Run("given up", func(t *testing.T) {
		dir, at := linuxtest.Dir(t), target(t)
		m := layers(t, dir, 1)
		fillState(t, dir+"/snapshots/0/fs/state")
		staged(t, testRange, func(s *Stage) error {
			root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
			must(t, err)
			defer root.Close()
			place, resolved, err := s.MountPoint(root, "/state", true)
			must(t, err)
			defer place.Close()
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if ok, err := s.Expose(ctx, root, place, resolved); ok || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, %v", ok, err)
			}
			// Under another mount there is nothing to expose.
			mounted, err := s.Tmpfs(nil)
			must(t, err)
			defer mounted.Close()
			below, _, err := s.MountPoint(root, "/mnt", true)
			must(t, err)
			defer below.Close()
			must(t, Attach(mounted, below))
			if ok, err := s.exposeAt(root, "/mnt/state"); ok || err != nil {
				t.Errorf("below a mount: %v, %v", ok, err)
			}
			return nil
		})
	})
}

// TestHideWhiteouts: an overlay lists whiteouts that hide nothing, and then does not.
func TestHideWhiteouts(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir, at := linuxtest.Dir(t), target(t)
	m := layers(t, dir, 1)
	upper := dir + "/snapshots/1/fs"
	fillState(t, upper+"/state")
	must(t, unix.Mknod(upper+"/state/whiteout", unix.S_IFCHR, 0))
	must(t, unix.Mknod(upper+"/state/device", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))))
	listed := func() (names []string) {
		mountRootfs(t, testRange, Rootfs{Mounts: []Mount{m}, Target: at})
		defer unmount(at)
		for _, sub := range []string{"/state", "/state/sub"} {
			entries, err := os.ReadDir(at + sub)
			must(t, err)
			for _, e := range entries {
				names = append(names, e.Name())
			}
		}
		return names
	}
	if got := listed(); len(got) != 5+6 {
		t.Errorf("at first: %q", got)
	}
	for _, want := range []int{2, 0} {
		f, err := os.Open(upper + "/state")
		must(t, err)
		n, err := HideWhiteouts(f)
		f.Close()
		if n != want || err != nil {
			t.Errorf("%d directories, %v; want %d", n, err, want)
		}
	}
	if got, want := listed(), strings.Fields("device file program sub empty fifo file link readonly"); !slices.Equal(got, want) {
		t.Errorf("hidden: %q, want %q", got, want)
	}
}
