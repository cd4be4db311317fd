package linux

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestOpened: whatever is opened is close-on-exec, and errors tell the path.
func TestOpened(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir, err := OpenPath(t.TempDir())
	must(t, err)
	defer dir.Close()
	ns, err := OpenNS(0, "mnt")
	must(t, err)
	defer ns.Close()
	tmpfs, err := NewFS("tmpfs")
	must(t, err)
	defer tmpfs.Close()
	if !closeOnExec(t, tmpfs.ctx.Fd()) {
		t.Error("a file system context is not close-on-exec")
	}
	for name, open := range map[string]func() (*os.File, error){
		"OpenPath":   func() (*os.File, error) { return OpenPath("/") },
		"OpenAt":     func() (*os.File, error) { return OpenAt(dir, ".", unix.O_RDONLY, 0) },
		"OpenInRoot": func() (*os.File, error) { return OpenInRoot(dir, "/..", unix.O_PATH) },
		"OpenTree":   func() (*os.File, error) { return OpenTree(dir, "", false) },
		"FS.Mount":   func() (*os.File, error) { return tmpfs.Mount(0) },
		"OpenNS":     func() (*os.File, error) { return OpenNS(os.Getpid(), "user") },
		"UserNSOf":   func() (*os.File, error) { return UserNSOf(ns) },
	} {
		f, err := open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !closeOnExec(t, f.Fd()) {
			t.Errorf("%s: not close-on-exec", name)
		}
		f.Close()
	}
}

func TestErrors(t *testing.T) {
	dir, err := OpenPath(t.TempDir())
	must(t, err)
	defer dir.Close()
	for name, call := range map[string]func() error{
		"openat":        func() error { _, err := OpenAt(dir, "none", 0, 0); return err },
		"openat2":       func() error { _, err := OpenInRoot(dir, "none", 0); return err },
		"open_tree":     func() error { _, err := OpenTree(dir, "none", false); return err },
		"statx":         func() error { _, err := StatAt(dir, "none"); return err },
		"readlinkat":    func() error { _, err := ReadLink(dir, "none"); return err },
		"mkdirat":       func() error { return Mkdir(dir, "none/a", 0) },
		"mknodat":       func() error { return Mknod(dir, "none/a", unix.S_IFREG, 0) },
		"symlinkat":     func() error { return Symlink("x", dir, "none/a") },
		"unlinkat":      func() error { return Unlink(dir, "none") },
		"fchownat":      func() error { return Chown(dir, "none", 0, 0) },
		"fchmodat":      func() error { return Chmod(dir, "none", 0) },
		"move_mount":    func() error { return MoveMountTo(dir, dir, "none") },
		"umount":        func() error { return Detach(dir.Name() + "/none") },
		"mount nothing": func() error { return Mount("", dir.Name()+"/none", "nothing", 0, "") },
	} {
		err := call()
		var pe *os.PathError
		if !errors.As(err, &pe) || pe.Op != name || filepath.Dir(pe.Path) != dir.Name() && filepath.Base(pe.Path) != "a" {
			t.Errorf("%s: %#v", name, err)
		}
		if os.Geteuid() == 0 && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenInRoot(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/a/b", 0o755))
	must(t, os.WriteFile(dir+"/a/file", []byte("inside"), 0o600))
	for link, to := range map[string]string{"abs": "/a", "up": "../../../a", "magic": "/proc/self/root", "loop": "loop"} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	root, err := OpenPath(dir)
	must(t, err)
	defer root.Close()
	for path, want := range map[string]error{
		"a/file": nil, "/a/file": nil, "/abs/file": nil, "up/file": nil, "../../a/file": nil, "/abs/b/../file": nil,
		"/etc/passwd": unix.ENOENT, "magic": unix.ENOENT, "loop": unix.ELOOP, "a/file/x": unix.ENOTDIR,
	} {
		f, err := OpenInRoot(root, path, unix.O_RDONLY)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if err == nil {
			f.Close()
		}
	}
	proc, err := OpenPath("/proc/self")
	must(t, err)
	defer proc.Close()
	if f, err := OpenInRoot(proc, "root/etc", unix.O_PATH); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a magic link is followed: %v, %v", f, err)
	}
}

func TestStatBelow(t *testing.T) {
	linuxtest.NoLeak(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/a/b", 0o755))
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	must(t, os.Symlink("a", dir+"/link"))
	root, err := OpenPath(dir)
	must(t, err)
	defer root.Close()
	for path, want := range map[string]error{
		".": nil, "a/b": nil, "a/../a": nil,
		"link": unix.ELOOP, "link/b": unix.ELOOP, "..": unix.EXDEV, "a/../..": unix.EXDEV, "/": unix.EXDEV,
		"file": unix.ENOTDIR, "none": unix.ENOENT,
	} {
		st, err := StatBelow(root, path)
		if !errors.Is(err, want) || (err == nil) != st.IsDir() {
			t.Errorf("%s: %+v, %v, want %v", path, st, err, want)
		}
	}
	slash, err := OpenPath("/")
	must(t, err)
	defer slash.Close()
	if _, err := StatBelow(slash, "proc"); !errors.Is(err, unix.EXDEV) {
		t.Errorf("a mount is crossed: %v", err)
	}
}

func TestStat(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("to", dir+"/link"))
	st, err := StatAt(nil, dir+"/link")
	if err != nil || !st.IsSymlink() || st.IsDir() || st.MountRoot {
		t.Errorf("%+v, %v", st, err)
	}
	st, err = StatAt(nil, "/proc")
	if err != nil || !st.IsDir() || !st.MountRoot || st.MountID == 0 || st.Ino != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	st, err = StatAt(nil, "/dev/null")
	if err != nil || st.Rdev != unix.Mkdev(1, 3) || st.Mode != unix.S_IFCHR|0o666 {
		t.Errorf("%+v, %v", st, err)
	}
	f, err := OpenPath("/proc")
	must(t, err)
	defer f.Close()
	if magic, err := FSMagic(f); magic != unix.PROC_SUPER_MAGIC || err != nil {
		t.Errorf("%#x, %v", magic, err)
	}
}

func TestReadLink(t *testing.T) {
	dir := t.TempDir()
	long := ""
	for range 100 {
		long += "/0123456789"
	}
	for _, to := range []string{"a", long[:255], long[:256], long} {
		must(t, os.Symlink(to, dir+"/link"))
		f, err := OpenAt(nil, dir+"/link", unix.O_PATH|unix.O_NOFOLLOW, 0)
		must(t, err)
		for _, got := range []func() (string, error){
			func() (string, error) { return ReadLink(f, "") },
			func() (string, error) { return ReadLink(nil, dir+"/link") },
		} {
			if got, err := got(); got != to || err != nil {
				t.Errorf("%s: %s, %v", to, got, err)
			}
		}
		f.Close()
		must(t, os.Remove(dir+"/link"))
	}
}
