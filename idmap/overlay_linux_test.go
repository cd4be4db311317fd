package idmap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// mountsAt are the mounts at and below dir.
func mountsAt(t *testing.T, dir string) []*mountinfo.Info {
	t.Helper()
	m, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	must(t, err)
	return m
}

// shapes are ways in which the layers of an overlay may lie.
var shapes = []struct {
	name string
	make func(t *testing.T) Mount
}{
	{"one directory", func(t *testing.T) Mount { return layers(t, linuxtest.Dir(t), 3) }},
	{"a file system for each", func(t *testing.T) Mount {
		m := layers(t, linuxtest.Dir(t), 3)
		return relocate(m, func(int, string) string { return linuxtest.Tmpfs(t) })
	}},
	{"behind symbolic links", func(t *testing.T) Mount {
		dir := linuxtest.Dir(t)
		return relocate(layers(t, dir, 3), func(i int, lower string) string {
			must(t, os.MkdirAll(dir+"/l", 0o755))
			to := dir + "/l/" + strconv.Itoa(i)
			must(t, os.Symlink(lower, to))
			return to
		})
	}},
	{"long names", func(t *testing.T) Mount {
		dir := linuxtest.Dir(t)
		return relocate(layers(t, dir, 3), func(i int, _ string) string {
			to := filepath.Join(dir, strings.Repeat("x", 64)+strconv.Itoa(i), "diff")
			must(t, os.MkdirAll(to, 0o755))
			return to
		})
	}},
	{"names with special characters", func(t *testing.T) Mount {
		dir := linuxtest.Dir(t)
		return relocate(layers(t, dir, 3), func(i int, _ string) string {
			to := fmt.Sprintf("%s/a:b,c\\%d", dir, i)
			must(t, os.MkdirAll(to, 0o755))
			return to
		})
	}},
}

// relocate gives the lower layers of m other directories: what fn gives, which
// is filled if it is no link.
func relocate(m Mount, fn func(i int, lower string) string) Mount {
	var lowers []string
	m.Options = slices.Clone(m.Options)
	at := slices.IndexFunc(m.Options, func(o string) bool { return strings.HasPrefix(o, "lowerdir=") })
	for i, lower := range strings.Split(strings.TrimPrefix(m.Options[at], "lowerdir="), ":") {
		to := fn(i, lower)
		if st, err := os.Lstat(to); err == nil && st.IsDir() {
			if out, err := exec.Command("cp", "-a", lower+"/.", to).CombinedOutput(); err != nil {
				panic(string(out))
			}
		}
		lowers = append(lowers, strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(to))
	}
	m.Options[at] = "lowerdir=" + strings.Join(lowers, ":")
	return m
}

// TestOverlayShapes: wherever the layers lie, the container works, nothing but
// the overlay stays mounted, and no path of the host is shown.
func TestOverlayShapes(t *testing.T) {
	linuxtest.Root(t)
	for _, shape := range shapes {
		for _, attach := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/attach=%v", shape.name, attach), func(t *testing.T) {
				linuxtest.NoLeak(t)
				m, at := shape.make(t), target(t)
				staged(t, testRange, func(s *Stage) error {
					s.attach = attach
					root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
					if err != nil {
						return err
					}
					return root.Close()
				})
				mounts := mountsAt(t, filepath.Dir(at))
				if len(mounts) != 1 || mounts[0].FSType != "overlay" || mounts[0].Mountpoint != at {
					t.Fatalf("mounts: %+v", mounts)
				}
				if o := mounts[0].VFSOptions; strings.Contains(o, "=/") || strings.Contains(o, "tmp") {
					t.Errorf("options: %s", o)
				}
				if out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "work", at); err != nil {
					t.Error(err, out)
				}
			})
		}
	}
}

func TestOverlayManyLayers(t *testing.T) {
	linuxtest.Root(t)
	for _, attach := range []bool{false, true} {
		for _, n := range []int{1, 100, 400} {
			at := target(t)
			m := layers(t, linuxtest.Dir(t), n)
			staged(t, testRange, func(s *Stage) error {
				s.attach = attach
				root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
				if err != nil {
					return fmt.Errorf("%d layers: %w", n, err)
				}
				return root.Close()
			})
			wantOwner(t, at+"/home/user", "701000:701000")
		}
	}
}

// TestOverlayManyFileSystems has layers that cannot be cloned together.
func TestOverlayManyFileSystems(t *testing.T) {
	linuxtest.Root(t)
	m, at := layers(t, linuxtest.Dir(t), 400), target(t)
	dir := linuxtest.Dir(t)
	m = relocate(m, func(i int, lower string) string {
		to := fmt.Sprintf("%s/%d", dir, i)
		must(t, os.Symlink(lower, to))
		return to
	})
	mountRootfs(t, testRange, Rootfs{Mounts: []Mount{m}, Target: at})
	wantOwner(t, at+"/home/user", "701000:701000")
}

func TestOverlayReadOnly(t *testing.T) {
	linuxtest.Root(t)
	for _, attach := range []bool{false, true} {
		m, at := layers(t, linuxtest.Dir(t), 2), target(t)
		m.Options = slices.DeleteFunc(m.Options, func(o string) bool {
			return strings.HasPrefix(o, "upperdir=") || strings.HasPrefix(o, "workdir=")
		})
		staged(t, testRange, func(s *Stage) error {
			s.attach = attach
			root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{m}, Target: at})
			if err != nil {
				return err
			}
			return root.Close()
		})
		wantOwner(t, at+"/home/user", "701000:701000")
		out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "make", at+"/new")
		if err == nil || !strings.Contains(out, "read-only file system") {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestOverlayOptions: options are kept, flags are flags.
func TestOverlayOptions(t *testing.T) {
	linuxtest.Root(t)
	for _, tc := range []struct {
		give []string
		want []string // in the mount's or the superblock's options
		work bool
	}{
		{[]string{"volatile"}, []string{"volatile"}, true},
		{[]string{"redirect_dir=on", "metacopy=on"}, []string{"redirect_dir=on", "metacopy=on"}, true},
		{[]string{"userxattr"}, []string{"userxattr"}, true},
		{[]string{"nosuid", "nodev", "noatime"}, []string{"nosuid", "nodev", "noatime"}, true},
		{[]string{"ro"}, []string{"ro"}, false},
	} {
		t.Run(strings.Join(tc.give, ","), func(t *testing.T) {
			m, at := layers(t, linuxtest.Dir(t), 2), target(t)
			m.Options = append(m.Options, tc.give...)
			mountRootfs(t, testRange, Rootfs{Mounts: []Mount{m}, Target: at})
			info := mountsAt(t, at)[0]
			have := strings.Split(info.Options+","+info.VFSOptions, ",")
			for _, want := range tc.want {
				// Linux 6.16 calls "volatile" "fsync=volatile".
				if !slices.Contains(have, want) && !slices.Contains(have, "fsync="+want) {
					t.Errorf("%s is not in %v", want, have)
				}
			}
			out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "work", at)
			if (err == nil) != tc.work {
				t.Error(err, out)
			}
		})
	}
}

// TestSetID: set-uid bits and file capabilities of an image work inside, for the
// container's IDs, and a file capability set inside is a plain one on disk.
func TestSetID(t *testing.T) {
	linuxtest.Root(t)
	for _, backing := range linuxtest.Backings {
		t.Run(backing.Name, func(t *testing.T) {
			dir, at := backing.Dir(t), target(t)
			m := layers(t, dir, 2)
			bin := filepath.Join(dir, "snapshots/0/fs/bin")
			for _, name := range []string{"su", "ping"} {
				copyFile(t, "/proc/self/exe", filepath.Join(bin, name))
			}
			must(t, unix.Chmod(bin+"/su", 0o4755))
			must(t, unix.Chmod(bin+"/ping", 0o755))
			must(t, unix.Setxattr(bin+"/ping", "security.capability", capNetRaw(), 0))
			mountRootfs(t, testRange, Rootfs{Mounts: []Mount{m}, Target: at})
			for program, want := range map[string]string{
				"su":   "uid 1000, euid 0, effective 1ffffffffff",
				"ping": "uid 1000, euid 1000, effective 2000",
			} {
				out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "suid", at+"/bin/"+program)
				if program == "su" { // the bounding set of this machine
					out, want = cutLast(out), cutLast(want)
				}
				if err != nil || out != want {
					t.Errorf("%s: %q, %v; want %q", program, out, err, want)
				}
			}
			if out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "work", at); err != nil {
				t.Fatal(out)
			}
			buf := make([]byte, 64)
			n, err := unix.Getxattr(filepath.Join(dir, "snapshots/2/fs/bin/ping"), "security.capability", buf)
			if err != nil || !slices.Equal(buf[:n], capNetRaw()) {
				t.Errorf("on disk: %x, %v", buf[:max(n, 0)], err)
			}
		})
	}
}

func cutLast(s string) string { return s[:max(strings.LastIndex(s, " "), 0)] }

// childSetID runs the program args[0] as user 1000.
func childSetID(args []string) error {
	cmd := exec.Command(args[0])
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=whoami")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	out, err := cmd.CombinedOutput()
	fmt.Print(string(out))
	return err
}

// childWhoAmI prints the IDs and capabilities that it has.
func childWhoAmI([]string) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, ok := strings.Cut(string(status), "CapEff:\t")
	if !ok {
		return errors.New("no capabilities in status")
	}
	caps, _, _ := strings.Cut(rest, "\n")
	fmt.Printf("uid %d, euid %d, effective %s\n", os.Getuid(), os.Geteuid(), strings.TrimLeft(caps, "0"))
	return nil
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	must(t, err)
	defer src.Close()
	dst, err := os.Create(to)
	must(t, err)
	defer dst.Close()
	_, err = io.Copy(dst, src)
	must(t, err)
}

func TestOverlayErrors(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	good := layers(t, dir, 2)
	overlay := target(t)
	mountRootfs(t, testRange, Rootfs{Mounts: []Mount{good}, Target: overlay})
	other := linuxtest.Tmpfs(t)
	must(t, os.MkdirAll(other+"/work", 0o755))
	file := dir + "/snapshots/0/fs/etc/passwd"
	for _, tc := range []struct {
		name string
		m    Mount
		want error
		text string
	}{
		{"unknown option", with(good, "nonsense=1"), unix.EINVAL, ""},
		{"missing layer", with(good, "lowerdir="+dir+"/none"), os.ErrNotExist, dir + "/none"},
		{"missing layer among others", with(good, "lowerdir="+dir+"/snapshots/0/fs:"+dir+"/snapshots/9/fs"), os.ErrNotExist, "snapshots/9/fs"},
		{"a file as layer", with(good, "lowerdir="+file), unix.ENOTDIR, "passwd"},
		{"a layer that cannot be mapped", with(good, "lowerdir="+overlay), ErrNotMappable, "overlay file system at " + overlay},
		{"no mount", Mount{}, ErrNotMappable, ""},
		{"other type", Mount{Type: "erofs", Source: "/x"}, ErrNotMappable, "erofs file system at /x"},
		{"loop", with(good, "loop"), ErrMountOption, "loop"},
		{"mapping of another", with(good, "uidmap=0:1:2", "gidmap=0:1:2"), ErrMountOption, "uidmap=0:1:2"},
		{"half a mapping", with(good, "uidmap=0:700000:65536"), ErrMountOption, "gidmap="},
		{"work elsewhere", with(good, "workdir="+other+"/work"), unix.EXDEV, "reached through one mount"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := target(t)
			staged(t, testRange, func(s *Stage) error {
				root, _, err := s.Rootfs(Rootfs{Mounts: []Mount{tc.m}, Target: at})
				if err == nil {
					root.Close()
				}
				if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v, want %v with %q", err, tc.want, tc.text)
				}
				return nil
			})
			if m := mountsAt(t, at); len(m) != 0 {
				t.Errorf("left mounted: %+v", m)
			}
		})
	}
	staged(t, testRange, func(s *Stage) error {
		for _, mounts := range [][]Mount{nil, {good, good}} {
			if _, _, err := s.Rootfs(Rootfs{Mounts: mounts, Target: target(t)}); !errors.Is(err, ErrMountOption) {
				t.Errorf("%d mounts: %v", len(mounts), err)
			}
		}
		if _, _, err := s.Rootfs(Rootfs{Mounts: []Mount{good}, Target: dir + "/none"}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no target: %v", err)
		}
		return nil
	})
}

// with is m with options instead of those of the same name, or more.
func with(m Mount, opts ...string) Mount {
	for _, opt := range opts {
		key, _, _ := strings.Cut(opt, "=")
		m.Options = append(slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool {
			return strings.HasPrefix(o, key+"=")
		}), opt)
	}
	return m
}

// TestLayersFollowNoLinks: overlayfs resolves the names of layers below the clone
// again, when a link may have taken the place of a directory.
func TestLayersFollowNoLinks(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	must(t, os.MkdirAll(filepath.Join(dir, "a", "fs"), 0o755))
	must(t, os.Symlink("/etc", filepath.Join(dir, "link")))
	userns, err := NewUserNamespace(testRange)
	must(t, err)
	defer userns.Close()
	must(t, RunStage(StageConfig{Range: testRange, UserNS: userns}, func(s *Stage) error {
		base, err := OpenSource(nil, dir)
		if err != nil {
			return err
		}
		var c clonedLayers
		defer func() {
			for _, tree := range c.trees {
				tree.Close()
			}
		}()
		if err := c.add(s, base, true); err != nil {
			return err
		}
		f, err := linux.OpenAt(c.trees[0], "link/passwd", unix.O_RDONLY, 0)
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, unix.ELOOP) {
			t.Errorf("through a link: %v, want ELOOP", err)
		}
		return nil
	}))
}
