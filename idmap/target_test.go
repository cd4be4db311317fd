package idmap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// hostile fills dir with what an image may hold.
func hostile(t testing.TB, dir string) {
	t.Helper()
	for _, d := range []string{"etc", "a/b/c", "run"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "etc/hosts"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	for link, to := range map[string]string{
		"abs":         "/a/b",
		"up":          "../../../../../../a",
		"a/rel":       "b/c",
		"a/b/up":      "../../etc",
		"loop":        "loop",
		"ping":        "pong",
		"pong":        "ping",
		"dangling":    "/new/dir",
		"etc/resolv":  "../run/resolved/stub",
		"tofile":      "etc/hosts",
		"todir":       "/a/",
		"host":        "/proc/self/root",
		"fd":          "/proc/self/fd/0",
		"slashes":     "//a//./b//",
		"dot":         ".",
		"root":        "/",
		"rootdots":    "/../..",
		"chain":       "link1",
		"link1":       "link2",
		"link2":       "a/b",
		"danglingdir": "x/y/z",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
}

func TestMountPoint(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	for _, tc := range []struct {
		path string
		dir  bool
		want string // "" for an error
		text string // in the error
	}{
		{"/etc", true, "/etc", ""},
		{"etc", true, "/etc", ""},
		{"etc/", true, "/etc", ""},
		{"//etc/./", true, "/etc", ""},
		{"/etc/hosts", false, "/etc/hosts", ""},
		{"/", true, "/", ""},
		{"", true, "/", ""},
		{"..", true, "/", ""},
		{"../../etc", true, "/etc", ""},
		{"/a/../../etc", true, "/etc", ""},
		{"/abs/c", true, "/a/b/c", ""},
		{"/up/b", true, "/a/b", ""},
		{"/a/rel", true, "/a/b/c", ""},
		{"/a/b/up/hosts", false, "/etc/hosts", ""},
		{"/abs/../b/up/hosts", false, "/etc/hosts", ""},
		{"/slashes/c", true, "/a/b/c", ""},
		{"/dot/etc", true, "/etc", ""},
		{"/root/etc", true, "/etc", ""},
		{"/rootdots/etc", true, "/etc", ""},
		{"/rootdots", true, "/", ""},
		{"/chain/c", true, "/a/b/c", ""},
		{"/tofile", false, "/etc/hosts", ""},
		{"/todir", true, "/a", ""},
		{"/new/a/b", true, "/new/a/b", ""},
		{"/new/a/file", false, "/new/a/file", ""},
		{"/dangling", true, "/new/dir", ""},
		{"/dangling/x", false, "/new/dir/x", ""},
		{"/danglingdir", false, "/x/y/z", ""},
		{"/etc/resolv", false, "/run/resolved/stub", ""},
		{"/new/../b", true, "/b", ""},
		// Magic links are not followed: they are names like others.
		{"/host/etc", true, "/proc/self/root/etc", ""},
		{"/fd", false, "/proc/self/fd/0", ""},

		{"/loop", true, "", "more than 40 symbolic links"},
		{"/ping/x", false, "", "more than 40 symbolic links"},
		{"/file/x", true, "", "/file is not a directory"},
		{"/file", true, "", "/file is not a directory"},
		{"/tofile/x", false, "", "/etc/hosts is not a directory"},
		{"/etc", false, "", "/etc is a directory"},
		{"/", false, "", "/ is a directory"},
		{"/todir", false, "", "/a is a directory"},
		{"/file/..", true, "", "/file is not a directory"},
		{"/etc/" + strings.Repeat("x", 256), true, "", "file name too long"},
		{"/etc/\x00", true, "", "invalid argument"},
	} {
		dir := linuxtest.Dir(t)
		hostile(t, dir)
		at := target(t)
		staged(t, testRange, func(s *Stage) error {
			root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{{Type: "bind", Source: dir}}, Target: at})
			if err != nil {
				return err
			}
			defer root.Close()
			f, where, err := s.MountPoint(root, tc.path, tc.dir)
			if tc.want == "" {
				if err == nil {
					f.Close()
				}
				if err == nil || !strings.Contains(err.Error(), tc.text) || !strings.HasPrefix(err.Error(), "mount point "+tc.path+": ") {
					t.Errorf("%s: %s, %v; want %s", tc.path, where, err, tc.text)
				}
				return nil
			}
			if err != nil {
				t.Errorf("%s: %v", tc.path, err)
				return nil
			}
			defer f.Close()
			if where != tc.want {
				t.Errorf("%s: %s, want %s", tc.path, where, tc.want)
			}
			sameFile(t, f, at+tc.want)
			return nil
		})
		// What was made belongs to root on disk.
		must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
			wantOwner(t, p, "0:0")
			return err
		}))
		unmount(at)
	}
}

// sameFile: f is the file at path.
func sameFile(t testing.TB, f *os.File, path string) {
	t.Helper()
	a, err := linux.StatFile(f)
	must(t, err)
	b, err := linux.StatAt(nil, path)
	must(t, err)
	if a.Ino != b.Ino || a.Dev != b.Dev {
		t.Errorf("%s is not what was opened", path)
	}
}

func TestMountPointModes(t *testing.T) {
	linuxtest.Root(t)
	m, at := layers(t, linuxtest.Dir(t), 1), target(t)
	staged(t, testRange, func(s *Stage) error {
		root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
		if err != nil {
			return err
		}
		defer root.Close()
		f, _, err := s.MountPoint(root, "/x/y/file", false)
		if err != nil {
			return err
		}
		return f.Close()
	})
	for path, mode := range map[string]uint32{"/x": 0o40755, "/x/y": 0o40755, "/x/y/file": 0o100644} {
		st, err := linux.StatAt(nil, at+path)
		if err != nil || st.Mode != mode || st.UID != testRange.Base || st.GID != testRange.Base {
			t.Errorf("%s: %+v, %v", path, st, err)
		}
	}
}

// TestMountPointInVolume: the way leads through other volumes; a read-only one
// cannot get a new mount point.
func TestMountPointInVolume(t *testing.T) {
	linuxtest.Root(t)
	vol, at := linuxtest.Dir(t), target(t)
	must(t, os.Mkdir(vol+"/have", 0o755))
	must(t, os.Symlink("/etc", vol+"/link"))
	volumes(t, testRange, at, func(s *Stage, root *os.File) error {
		must(t, place(s, root, vol, "/rw", VolumeAttr{}))
		must(t, place(s, root, vol, "/ro", VolumeAttr{Set: unix.MOUNT_ATTR_RDONLY}))
		for path, want := range map[string]error{
			"/rw/new/a": nil,
			"/ro/have":  nil,
			"/ro/have2": unix.EROFS,
			"/rw/link":  nil, // of the container's root
		} {
			f, _, err := s.MountPoint(root, path, true)
			if err == nil {
				f.Close()
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", path, err, want)
			}
		}
		return nil
	})
	wantOwner(t, vol+"/new/a", "0:0")
	if _, err := os.Stat(at + "/etc"); err != nil {
		t.Error(err)
	}
}

// FuzzMountPoint: whatever links an image holds and whatever path is asked for,
// the mount point lies below the root, and nothing is made beside it.
func FuzzMountPoint(f *testing.F) {
	for _, seed := range [][3]string{
		{"/a/link/x", "../..", "/etc"},
		{"/link/link", "/", ".."},
		{"/one/../two", "/two/..", "one/./../../.."},
		{"/link", "/proc/self/root", "/proc/self/cwd/.."},
		{"a/../../../b", "//", "."},
	} {
		f.Add(seed[0], seed[1], seed[2], true)
	}
	f.Fuzz(func(t *testing.T, path, link1, link2 string, dir bool) {
		if len(path) > 200 {
			return
		}
		outside := t.TempDir()
		inside := filepath.Join(outside, "r")
		must(t, os.MkdirAll(inside+"/a/b", 0o755))
		for name, to := range map[string]string{"link": link1, "a/link": link2, "one": link1, "two": link2} {
			_ = os.Symlink(to, filepath.Join(inside, name))
		}
		root, err := linux.OpenPath(inside)
		must(t, err)
		defer root.Close()
		w := walker{root: root}
		defer w.Close()
		at, where, err := w.walk(path, dir)
		if err == nil {
			defer at.Close()
			got, err := linux.ReadLink(nil, "/proc/self/fd/"+fdName(at))
			must(t, err)
			if got != inside && !strings.HasPrefix(got, inside+"/") {
				t.Errorf("%q leads to %s", path, got)
			}
			if filepath.Join(inside, where) != got {
				t.Errorf("%q is said to be %q, is %s", path, where, got)
			}
			if st, err := linux.StatFile(at); err != nil || st.IsDir() != dir || st.IsSymlink() {
				t.Errorf("%q: %+v, %v", path, st, err)
			}
		}
		entries, err := os.ReadDir(outside)
		if err != nil || len(entries) != 1 {
			t.Errorf("%q: beside the root: %v, %v", path, entries, err)
		}
	})
}
