package seccomp

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestFind: paths lead where they lead the caller, here this process.
func TestFind(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	must(t, os.MkdirAll(dir+"/a/b", 0o755))
	must(t, os.WriteFile(dir+"/a/file", nil, 0o600))
	for link, to := range map[string]string{
		"absolute": dir + "/a", "relative": "a/../a", "self": "/proc/self/cwd", "twice": "self/relative", "loop": "loop", "dangling": "nothing",
		"a/up": "../../../../../../../../../..", "fd": "/proc/self/fd",
	} {
		must(t, os.Symlink(to, dir+"/"+link))
	}
	t.Chdir(dir)
	a, err := linux.OpenPath(dir + "/a")
	must(t, err)
	defer a.Close()
	fd := strconv.Itoa(int(a.Fd()))
	pid := strconv.Itoa(os.Getpid())
	me := &target{pid: os.Getpid()}
	for _, path := range []string{
		dir + "/a", dir + "/absolute", dir + "/absolute/b/..", dir + "/twice", dir + "/a/up" + dir + "/a",
		"a", "./a/", "a/b/..", "absolute/../a", "twice", "self/a", "a/up" + dir + "/a",
		"/proc/self/fd/" + fd, "/proc/self/fd/" + fd + "/", "/proc/self/fd/" + fd + "/b/..", "/proc/thread-self/fd/" + fd, "/proc/" + pid + "/fd/" + fd,
		"/proc/self/task/" + pid + "/fd/" + fd, "/proc/self/cwd/a", "/proc/self/root" + dir + "/a", "/proc/" + pid + "/task/" + pid + "/root" + dir + "/a",
		"fd/" + fd, "/proc/self/../self/cwd/a", "/proc/self/root/../.." + dir + "/a",
	} {
		for _, dirfd := range []int32{unix.AT_FDCWD, int32(a.Fd())} {
			if dirfd != unix.AT_FDCWD && path[0] != '/' {
				path = "../" + path
			}
			f, err := me.find(dirfd, path, unix.O_DIRECTORY)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if same, err := linux.SameFile(f, a); err != nil || !same {
				t.Errorf("%s: another file, %v", path, err)
			}
			f.Close()
			if s, err := me.look(dirfd, path, 0); err != nil || s.ID == 0 {
				t.Errorf("look at %s: %v", path, err)
			}
		}
	}
	for _, tt := range []struct {
		path  string
		flags int
		want  error
	}{
		{"", 0, unix.ENOENT},
		{"nothing", 0, unix.ENOENT},
		{"dangling", 0, unix.ENOENT},
		{"loop", 0, unix.ELOOP},
		{"a/file", unix.O_DIRECTORY, unix.ENOTDIR},
		{"a/file/x", 0, unix.ENOTDIR},
		{"/proc/self/fd/" + fd + "/file", unix.O_DIRECTORY, unix.ENOTDIR},
		{"/proc/self/fd/12345", 0, unix.ENOENT},
		{"/proc/self/fd/" + fd + "/nothing", 0, unix.ENOENT},
		{strings.Repeat("a/b/../../", 500), 0, unix.ENAMETOOLONG},
	} {
		f, err := me.find(unix.AT_FDCWD, tt.path, tt.flags)
		if !errors.Is(err, tt.want) {
			t.Errorf("%q: %v, not %v", tt.path, err, tt.want)
		}
		if err == nil {
			f.Close()
		}
	}
	// A link that is not to be followed.
	for _, path := range []string{"absolute", "/proc/self/fd/" + fd, "self/absolute"} {
		f, err := me.find(unix.AT_FDCWD, path, unix.O_NOFOLLOW)
		must(t, err)
		if st, err := linux.StatFile(f); err != nil || !st.IsSymlink() {
			t.Errorf("%s: %o, %v", path, st.Mode, err)
		}
		f.Close()
	}
}

// TestFindHostile: no link leads out of the caller's root.
func TestFindHostile(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	b := newBox(t)
	p := b.start("keeper", "mkdir root/a/b", "mkdir root/etc", "file root/etc/passwd",
		"link /etc/passwd root/absolute", "link ../../../../etc/passwd root/a/b/up", "link /proc/self/root/etc/passwd root/magic")
	me := &target{pid: p.Process.Pid}
	waitFor(t, func() bool { _, err := os.Lstat(b.dir + "/root/magic"); return err == nil })
	inside, err := me.find(unix.AT_FDCWD, "root/etc/passwd", 0)
	must(t, err)
	defer inside.Close()
	for _, path := range []string{"root/a/../etc/passwd", "root/a/b/../../etc/passwd"} {
		f, err := me.find(unix.AT_FDCWD, path, 0)
		must(t, err)
		if same, err := linux.SameFile(f, inside); err != nil || !same {
			t.Errorf("%s: another file, %v", path, err)
		}
		f.Close()
	}
	// That leads to its own root directory, which has no such file, and not to the host's.
	if f, err := me.find(unix.AT_FDCWD, "root/magic", 0); err == nil {
		if same, err := linux.SameFile(f, inside); err != nil || same {
			t.Errorf("%s: %v", f.Name(), err)
		}
		f.Close()
	}
}
