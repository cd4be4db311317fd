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

// volumes stages a plain root file system on at with volumes in it.
func volumes(t *testing.T, r Range, at string, place func(s *Stage, root *os.File) error) {
	t.Helper()
	staged(t, r, func(s *Stage) error {
		m := Mount{Type: "bind", Source: linuxtest.Dir(t), Options: []string{"rbind"}}
		root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
		if err != nil {
			return err
		}
		defer root.Close()
		return place(s, root)
	})
}

// childMake makes the files args, each with owner 1000:1001.
func childMake(args []string) error {
	unix.Umask(0)
	for _, f := range args {
		if err := os.WriteFile(f, []byte("inside"), 0o644); err != nil {
			return err
		}
		if err := os.Chown(f, 1000, 1001); err != nil {
			return err
		}
	}
	return nil
}

// TestVolumeOwners: two containers with different ranges share a volume and see
// the owners that are on disk; what they make has plain owners.
func TestVolumeOwners(t *testing.T) {
	linuxtest.Root(t)
	for _, backing := range linuxtest.Backings {
		t.Run(backing.Name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			vol := backing.Dir(t)
			for file, id := range map[string]int{"root": 0, "user": 1000, "top": 65535, "beyond": 65536} {
				must(t, os.WriteFile(filepath.Join(vol, file), nil, 0o600))
				must(t, os.Chown(filepath.Join(vol, file), id, id))
			}
			for i, r := range []Range{testRange, {900000, 65536}} {
				at := target(t)
				volumes(t, r, at, func(s *Stage, root *os.File) error {
					return errors.Join(
						place(s, root, vol, "/vol", VolumeAttr{Recursive: true}),
						place(s, root, vol+"/user", "/file", VolumeAttr{}))
				})
				in := func(f string) string { return filepath.Join(at, "vol", f) }
				out, err := linuxtest.InUserNS(t, r.Base, r.Size, "owners",
					in("root"), in("user"), in("top"), in("beyond"), at+"/file")
				want := "root 0:0\nuser 1000:1000\ntop 65535:65535\nbeyond 65534:65534\nfile 1000:1000"
				if err != nil || out != want {
					t.Errorf("%v: inside:\n%s\nwant:\n%s", err, out, want)
				}
				made := "made" + string(rune('0'+i))
				if out, err := linuxtest.InUserNS(t, r.Base, r.Size, "make", in(made), at+"/file"); err != nil {
					t.Error(err, out)
				}
				wantOwner(t, filepath.Join(vol, made), "1000:1001")
				wantOwner(t, filepath.Join(vol, "user"), "1000:1001")
				must(t, os.Chown(filepath.Join(vol, "user"), 1000, 1000))
			}
		})
	}
}

// TestVolumeAttributes looks at mounts through descriptors.
func TestVolumeAttributes(t *testing.T) {
	linuxtest.Root(t)
	vol := linuxtest.Tmpfs(t)
	sub := filepath.Join(vol, "sub")
	must(t, os.Mkdir(sub, 0o755))
	must(t, unix.Mount("tmpfs", sub, "tmpfs", unix.MS_NOATIME, ""))
	defer unmount(sub)
	for _, tc := range []struct {
		name      string
		attr      VolumeAttr
		root, sub int64 // ST_* of statvfs
	}{
		{"as it is", VolumeAttr{Recursive: true}, unix.ST_RELATIME, unix.ST_NOATIME},
		{"flags", VolumeAttr{Set: lockedAttr}, unix.ST_RELATIME | unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC, -1},
		{"recursive", VolumeAttr{Recursive: true, Set: unix.MOUNT_ATTR_RDONLY}, unix.ST_RELATIME | unix.ST_RDONLY, unix.ST_NOATIME | unix.ST_RDONLY},
		{"access times", VolumeAttr{Recursive: true, Set: unix.MOUNT_ATTR_STRICTATIME, Clear: unix.MOUNT_ATTR__ATIME}, 0, 0},
		{"nodiratime", VolumeAttr{Set: unix.MOUNT_ATTR_NODIRATIME}, unix.ST_RELATIME | unix.ST_NODIRATIME, -1},
		{"unmapped", VolumeAttr{Unmapped: true, Set: unix.MOUNT_ATTR_NODEV}, unix.ST_RELATIME | unix.ST_NODEV, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			staged(t, testRange, func(s *Stage) error {
				src, err := OpenSource(nil, vol)
				must(t, err)
				defer src.Close()
				tree, err := s.Volume(src, tc.attr)
				if err != nil {
					return err
				}
				defer tree.Close()
				checkFlags(t, tree, ".", tc.root)
				if tc.sub >= 0 {
					checkFlags(t, tree, "sub", tc.sub)
				} else if st, err := linux.StatAt(tree, "sub"); err != nil || st.MountRoot {
					t.Errorf("sub: %+v, %v", st, err)
				}
				return nil
			})
		})
	}
}

func checkFlags(t *testing.T, tree *os.File, path string, want int64) {
	t.Helper()
	f, err := linux.OpenAt(tree, path, unix.O_PATH, 0)
	must(t, err)
	defer f.Close()
	var st unix.Statfs_t
	must(t, unix.Fstatfs(int(f.Fd()), &st))
	const valid = 0x20 // ST_VALID
	if got := st.Flags &^ valid; got != want {
		t.Errorf("%s: flags %#x, want %#x", path, got, want)
	}
}

func TestVolumePropagation(t *testing.T) {
	linuxtest.Root(t)
	vol := linuxtest.Tmpfs(t)
	must(t, unix.Mount("", vol, "", unix.MS_SHARED, ""))
	must(t, os.Mkdir(vol+"/late", 0o755))
	for _, tc := range []struct {
		name        string
		propagation uint64
		arrives     bool
	}{
		{"private by default", 0, false},
		{"private", unix.MS_PRIVATE, false},
		{"slave", unix.MS_SLAVE, true},
		{"shared", unix.MS_SHARED, true},
	} {
		at := target(t)
		volumes(t, testRange, at, func(s *Stage, root *os.File) error {
			return place(s, root, vol, "/vol", VolumeAttr{Recursive: true, Propagation: tc.propagation})
		})
		must(t, unix.Mount("tmpfs", vol+"/late", "tmpfs", 0, ""))
		st, err := linux.StatAt(nil, at+"/vol/late")
		if err != nil || st.MountRoot != tc.arrives {
			t.Errorf("%s: %+v, %v", tc.name, st, err)
		}
		unmount(vol + "/late")
		unmount(at + "/vol")
		unmount(at)
	}
}

func TestVolumeUnsupported(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	vol := linuxtest.Dir(t)
	overlay := filepath.Join(vol, "a", "overlay")
	must(t, os.MkdirAll(overlay, 0o755))
	must(t, unix.Mount("overlay", overlay, "overlay", 0, "lowerdir=/etc:/usr"))
	defer unmount(overlay)
	mapped := target(t)
	mountRootfs(t, testRange, Rootfs{Mounts: []Mount{{Type: "bind", Source: vol}}, Target: mapped})
	for _, tc := range []struct {
		path      string
		recursive bool
		want      string
	}{
		{overlay, false, "overlay file system at " + overlay + " cannot be ID-mapped: the kernel does not support it for this file system (see docs/kernel.md)"},
		{"/proc/sys", false, "proc file system at /proc/sys cannot be ID-mapped: the kernel does not support it for this file system (see docs/kernel.md)"},
		{vol, true, "overlay file system at " + overlay + " cannot be ID-mapped: the kernel does not support it for this file system (see docs/kernel.md)"},
		{vol, false, ""},
		{mapped, false, "it is ID-mapped already, or belongs to another user namespace (see docs/kernel.md)"},
	} {
		staged(t, testRange, func(s *Stage) error {
			src, err := OpenSource(nil, tc.path)
			must(t, err)
			defer src.Close()
			tree, err := s.Volume(src, VolumeAttr{Recursive: tc.recursive})
			if err == nil {
				tree.Close()
			}
			var u *UnsupportedError
			switch {
			case tc.want == "":
				must(t, err)
			case !errors.Is(err, ErrNotMappable) || !errors.As(err, &u) || !strings.HasSuffix(err.Error(), tc.want):
				t.Errorf("%s: %v, want %s", tc.path, err, tc.want)
			}
			return nil
		})
	}
}

// TestSourceIsWhatWasOpened: a path that is exchanged after it was opened does
// not change what is mounted.
func TestSourceIsWhatWasOpened(t *testing.T) {
	linuxtest.Root(t)
	dir, at := linuxtest.Dir(t), target(t)
	must(t, os.Mkdir(dir+"/good", 0o755))
	must(t, os.WriteFile(dir+"/good/file", []byte("good"), 0o644))
	must(t, os.Symlink("/etc", dir+"/evil"))
	volumes(t, testRange, at, func(s *Stage, root *os.File) error {
		src, err := OpenSource(nil, dir+"/good")
		if err != nil {
			return err
		}
		defer src.Close()
		must(t, os.Rename(dir+"/good", dir+"/moved"))
		must(t, os.Rename(dir+"/evil", dir+"/good"))
		tree, err := s.Volume(src, VolumeAttr{})
		if err != nil {
			return err
		}
		defer tree.Close()
		return attachAt(s, root, tree, "/vol", true)
	})
	if got, err := os.ReadFile(at + "/vol/file"); string(got) != "good" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestOpenSource(t *testing.T) {
	linuxtest.NoLeak(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/a/b", 0o755))
	must(t, os.WriteFile(dir+"/a/b/file", nil, 0o640))
	must(t, os.Symlink("/a/b", dir+"/abs"))
	root, err := linux.OpenPath(dir)
	must(t, err)
	defer root.Close()
	src, err := OpenSource(root, "/abs/file")
	must(t, err)
	defer src.Close()
	if src.Stat.Mode != unix.S_IFREG|0o640 || src.Stat.Ino == 0 || src.Stat.MountID == 0 {
		t.Errorf("%+v", src.Stat)
	}
	if _, err := OpenSource(root, "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for path, want := range map[string]string{"/proc": "proc", "/sys": "sysfs"} {
		src, err := OpenSource(nil, path)
		must(t, err)
		if got, err := src.FSType(); got != want || err != nil {
			t.Errorf("%s: %s, %v", path, got, err)
		}
		src.Close()
	}
	if got := fsName(0x12345678); got != "0x12345678" {
		t.Error(got)
	}
}
