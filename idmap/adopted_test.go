package idmap

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// chowned changes the owner of everything below dir as a client that maps by
// chown does.
func chowned(t *testing.T, dir string, r Range) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		must(t, err)
		var st unix.Stat_t
		must(t, unix.Lstat(p, &st))
		return os.Lchown(p, int(st.Uid+r.Base), int(st.Gid+r.Base))
	}))
}

// TestAdopted: what the client has mapped works, and is written as it wants.
func TestAdopted(t *testing.T) {
	linuxtest.Root(t)
	for _, tc := range []struct {
		name    string
		adopt   bool
		uidmap  bool
		chown   []string // below the snapshots
		want    string
		newFile string // owner on disk of a file made by 1000:1001
	}{
		{"lower layers mapped by option", true, true, []string{"3/fs"}, "adopted", "701000:701001"},
		{"everything chowned", true, false, []string{"0/fs", "1/fs", "2/fs", "3/fs"}, "adopted", "701000:701001"},
		{"nothing done", true, false, nil, "overlay", "1000:1001"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			dir, at := linuxtest.Dir(t), target(t)
			m := layers(t, dir, 3)
			for _, d := range tc.chown {
				chowned(t, filepath.Join(dir, "snapshots", d), testRange)
			}
			if tc.uidmap {
				m.Options = append(slices.Clone(m.Options), "uidmap=0:700000:65536", "gidmap=0:700000:65536")
			}
			r := Rootfs{Mounts: []Mount{m}, Target: at, Adopt: tc.adopt}
			if got := mountRootfs(t, testRange, r); got != tc.want {
				t.Errorf("strategy %s, want %s", got, tc.want)
			}
			if out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "work", at); err != nil {
				t.Error(out)
			}
			wantOwner(t, filepath.Join(dir, "snapshots/3/fs/new"), tc.newFile)
		})
	}
}

// TestDirectory: a plain directory, and one that the client has chowned.
func TestDirectory(t *testing.T) {
	linuxtest.Root(t)
	for _, backing := range linuxtest.Backings {
		for _, adopt := range []bool{false, true} {
			dir, at := backing.Dir(t), target(t)
			image := filepath.Join(dir, "image")
			must(t, os.Mkdir(image, 0o755))
			fillImage(t, image)
			want, newFile := "directory", "1000:1001"
			if adopt {
				chowned(t, image, testRange)
				want, newFile = "adopted", "701000:701001"
			}
			m := Mount{Type: "bind", Source: image, Options: []string{"rbind", "rw"}}
			if got := mountRootfs(t, testRange, Rootfs{Mounts: []Mount{m}, Target: at, Adopt: adopt}); got != want {
				t.Errorf("strategy %s, want %s", got, want)
			}
			if out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "make", at+"/new"); err != nil {
				t.Error(out)
			}
			wantOwner(t, image+"/new", newFile)
			unmount(at)
		}
	}
}

func TestDirectoryErrors(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	at, file := target(t), filepath.Join(linuxtest.Dir(t), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for source, want := range map[string]string{
		file:         "mount root file system (directory): mount " + file + ": not a directory",
		"/does/not":  "mount root file system (directory): openat /does/not: no such file or directory",
		"/proc/self": "mount root file system (directory): proc file system at /proc/self cannot be ID-mapped: the kernel does not support it for this file system (see docs/kernel.md)",
	} {
		staged(t, testRange, func(s *Stage) error {
			m := Mount{Type: "bind", Source: source, Options: []string{"rbind"}}
			_, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
			if err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
			return nil
		})
	}
}

// TestContradictions: mounts that would be another thing than their type says.
func TestContradictions(t *testing.T) {
	linuxtest.Root(t)
	lower := linuxtest.Dir(t)
	for _, tc := range []struct {
		name string
		m    Mount
	}{
		{"an overlay that is a bind of its source", Mount{Type: "overlay", Source: "/", Options: []string{"rbind", "lowerdir=" + lower}}},
		{"an overlay with bind", Mount{Type: "overlay", Source: "/", Options: []string{"bind", "lowerdir=" + lower}}},
		{"nothing with rbind", Mount{Type: "none", Source: "/", Options: []string{"rbind"}}},
		{"mapped by option, without a mapping", Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + lower, "uidmap=0:700000:65536", "gidmap=0:700000:65536"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			userns, err := NewUserNamespace(testRange)
			must(t, err)
			defer userns.Close()
			err = RunStage(StageConfig{Range: testRange, UserNS: userns}, func(s *Stage) error {
				root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{tc.m}, Target: target(t)})
				if err == nil {
					root.Close()
				}
				return err
			})
			if !errors.Is(err, ErrMountOption) {
				t.Errorf("got %v, want ErrMountOption", err)
			}
		})
	}
}
