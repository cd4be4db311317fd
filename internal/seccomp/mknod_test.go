package seccomp

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

// listed are the devices of the tests.
var listed = []Device{{'c', 1, 3}, {'c', 1, 5}, {'c', 10, 229}, {'b', 7, 0}}

// hostDir makes a directory with an owner of the host.
func hostDir(t testing.TB, path string, owner int, mode os.FileMode) {
	t.Helper()
	must(t, os.Mkdir(path, 0o700))
	must(t, os.Chown(path, owner, owner))
	must(t, os.Chmod(path, mode))
}

// furnish makes the tree that childMknod works in. A volume is mounted at vol.
func furnish(t testing.TB, root string) {
	t.Helper()
	const base = 700000
	must(t, os.Chown(root, base, base))
	volume := linuxtest.Dir(t)
	must(t, os.Chown(volume, base, base))
	for _, d := range []struct {
		name  string
		owner int
		mode  os.FileMode
	}{
		{"dir", base, 0o755},
		{"vol", base, 0o755},
		{"ro", base, 0o755},
		{"tmp", base, 0o755},
		{"open", base, 0o777},
		{"daemon", base + 33, 0o500},
		{"home", base + 1000, 0o700},
		{"home/src", base + 1000, 0o700},
		{"home/src/chroot", base, 0o755},
		{"setgid", base + 1001, 0o777 | os.ModeSetgid},
		{"foreign", 0, 0o755},
		{"foreign-open", 0, 0o777},
		{"foreign-closed", 0, 0o700},
		{"foreign-closed/dir", base, 0o777},
	} {
		hostDir(t, filepath.Join(root, d.name), d.owner, d.mode)
	}
	must(t, os.WriteFile(root+"/file", nil, 0o644))
	for _, l := range [][2]string{{"dir", "link"}, {root + "/dir", "absolute"}, {"nothing", "dangling"}, {"vol", "to-volume"}, {"src", "home/link"}, {"../foreign-closed/dir", "home/escape"}} {
		must(t, os.Symlink(l[0], filepath.Join(root, l[1])))
	}
	for _, b := range []struct {
		from, to string
		flags    uintptr
	}{{volume, "vol", 0}, {root + "/dir", "ro", unix.MS_RDONLY}} {
		to := filepath.Join(root, b.to)
		must(t, unix.Mount(b.from, to, "", unix.MS_BIND, ""))
		must(t, unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|b.flags, ""))
		t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
	}
}

// overlay is the path of a new overlay, as root of the host mounts it.
func overlay(t testing.TB) string {
	t.Helper()
	dir := linuxtest.Tmpfs(t)
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		must(t, os.Mkdir(dir+"/"+name, 0o755))
	}
	must(t, unix.Mount("overlay", dir+"/merged", "overlay", 0, "lowerdir="+dir+"/lower,upperdir="+dir+"/upper,workdir="+dir+"/work"))
	t.Cleanup(func() { must(t, unix.Unmount(dir+"/merged", unix.MNT_DETACH)) })
	return dir + "/merged"
}

var roots = []struct {
	name string
	make func(testing.TB) string
}{{"tmpfs", linuxtest.Tmpfs}, {"overlay", overlay}}

// owner is a container whose own file system is that of a path.
func owner(t testing.TB, path string) testContainer {
	t.Helper()
	st, err := linux.StatAt(nil, path)
	must(t, err)
	return testContainer{Config: Config{Devices: listed, FileSystems: []uint64{st.Dev}, IDs: testRange, Logf: t.Logf}}
}

// nodes are the device nodes below a directory, as "name type major:minor".
func nodes(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeDevice != 0 {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// TestMknod: what root of a container, others in it, and nested ones may make, and where.
func TestMknod(t *testing.T) {
	linuxtest.Root(t)
	abiTests(t, func(t *testing.T, exe string, _ int) {
		for _, fs := range roots {
			t.Run(fs.name, func(t *testing.T) {
				linuxtest.NoLeak(t)
				root := fs.make(t)
				furnish(t, root)
				c := owner(t, root)
				c.exe = exe
				if out, err := c.run(t, "mknod", root); err != nil || out != "" {
					t.Errorf("%v\n%s", err, out)
				}
				if left := nodes(t, root+"/vol"); len(left) > 0 {
					t.Errorf("nodes on the volume: %q", left)
				}
			})
		}
	})
}

// TestMknodNowhere: without a file system, and with an empty list, nothing is made.
func TestMknodNowhere(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	root := linuxtest.Tmpfs(t)
	must(t, os.Chown(root, 700000, 700000))
	c := owner(t, root)
	none, nowhere, others, part := c, c, c, c
	none.Devices, nowhere.FileSystems, others.IDs, part.IDs = nil, nil, Range{800000, 65536}, Range{700000, 65535}
	for name, c := range map[string]testContainer{
		"no device": none, "no file system": nowhere, "IDs of another container": others, "IDs that are not all its own": part,
	} {
		if out, err := c.run(t, "mknod-one", root+"/null"); err == nil || !strings.Contains(out, "operation not permitted") {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
	if out, err := c.run(t, "mknod-one", root+"/null"); err != nil {
		t.Errorf("%s, %v", out, err)
	}
}

// TestAllowedNodes: type and both numbers count, and a whiteout is none whatever the list says.
func TestAllowedNodes(t *testing.T) {
	c := &container{Config: Config{Devices: append([]Device{{'c', 0, 0}}, listed...)}}
	for _, tt := range []struct {
		mode, major, minor uint32
		want               bool
	}{
		{chr | 0o666, 1, 3, true},
		{blk | 0o666, 1, 3, false},
		{blk, 7, 0, true},
		{chr, 7, 0, false},
		{chr, 1, 4, false},
		{chr, 2, 3, false},
		{chr, 3, 1, false},
		{unix.S_IFREG, 1, 3, false},
		{unix.S_IFIFO, 1, 3, false},
		{0, 1, 3, false},
		{unix.S_IFCHR | unix.S_IFREG, 1, 3, false},
		{chr, 0, 0, false},
	} {
		if got := c.allows(tt.mode, unix.Mkdev(tt.major, tt.minor)); got != tt.want {
			t.Errorf("%o %d:%d: %t", tt.mode, tt.major, tt.minor, got)
		}
	}
}

// TestMknodRace: while the path changes between a directory of the container's and the
// volume, no node gets there.
func TestMknodRace(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	root := linuxtest.Tmpfs(t)
	furnish(t, root)
	if out, err := owner(t, root).run(t, "mknod-race", root); err != nil {
		t.Errorf("%v: %s", err, out)
	} else {
		t.Log(out)
	}
	if left := nodes(t, root+"/vol"); len(left) > 0 {
		t.Errorf("nodes on the volume: %q", left)
	}
}

// TestMknodUndo: a node is taken away again if nobody hears of it, and nothing else is.
func TestMknodUndo(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	root := linuxtest.Tmpfs(t)
	furnish(t, root)
	top, err := linux.OpenPath("/")
	must(t, err)
	defer top.Close()
	mapped := []extent{{700000, 765535}}
	m := &maker{fsuid: 700000, fsgid: 700000, caps: createCaps, umask: 0o22, uids: mapped, gids: mapped}
	null := node{mode: unix.S_IFCHR | 0o666, dev: unix.Mkdev(1, 3)}
	c := &container{Config: owner(t, root).Config}
	for _, dir := range []string{"dir", "daemon", "home/src"} {
		path := root + "/" + dir + "/null"
		for _, replaced := range []bool{false, true} {
			p := &place{root: top, from: top, dirs: root + "/" + dir, name: "null"}
			d, err := p.make(null, m, c)
			if err != nil || d == nil {
				t.Fatalf("%s: %v, %v", dir, d, err)
			}
			if replaced {
				must(t, os.Remove(path))
				must(t, os.WriteFile(path, nil, 0o600))
			}
			if err := d.remove(); err != nil {
				t.Errorf("%s: %v", dir, err)
			}
			d.close()
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) == replaced {
				t.Errorf("%s: replaced %t: %v", dir, replaced, err)
			}
			_ = os.Remove(path)
		}
	}
}
