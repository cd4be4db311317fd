package pseudofs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// testBase is the first ID of a range that no account uses.
const testBase = 700000

// serveFS makes a file system for a container whose root is testBase.
func serveFS(t testing.TB, change func(*Config)) *FS {
	t.Helper()
	linuxtest.Root(t)
	boot, err := linux.Boottime()
	must(t, err)
	c := Config{
		Dir:    linuxtest.Dir(t),
		UID:    testBase,
		GID:    testBase,
		IDs:    65536,
		UUID:   "0b1f3a52-5f0e-5e2b-9f5c-3f3a1d2c4b5a",
		Source: NewSource(boot),
		Logf:   t.Logf,
	}
	if change != nil {
		change(&c)
	}
	f, err := New(c)
	must(t, err)
	t.Cleanup(func() {
		if err := errors.Join(f.Close(), c.Source.Close()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// path is where the file of a node is.
func (f *FS) path(node string) string { return filepath.Join(f.Dir, entry(node)) }

// newProc mounts a new procfs, or sysfs, on a directory, until the end of the test.
func newProc(t testing.TB, fstype string) (dir string, root *os.File) {
	t.Helper()
	dir = linuxtest.Dir(t)
	must(t, linux.Mount(fstype, dir, fstype, 0, ""))
	t.Cleanup(func() { must(t, linux.Detach(dir)) })
	root, err := linux.OpenPath(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return dir, root
}

// detached makes a detached procfs or sysfs.
func detached(t testing.TB, fstype string) *os.File {
	t.Helper()
	fs, err := linux.NewFS(fstype)
	must(t, err)
	defer fs.Close()
	mount, err := fs.Mount(0)
	must(t, err)
	return mount
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, path, text string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("%s: %q, %v; want %q", path, got, err, text)
	}
}

func TestWriteAndRead(t *testing.T) {
	f := serveFS(t, nil)
	panic0, err := os.ReadFile("/proc/sys/kernel/panic")
	must(t, err)
	path := f.path("proc/sys/kernel/panic")
	want(t, path, string(panic0))
	must(t, os.WriteFile(path, []byte("  0x1f \n"), 0))
	want(t, path, "31\n")
	fd, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	if n, err := fd.Write([]byte("70000000000")); !errors.Is(err, unix.EINVAL) {
		t.Error(n, err)
	}
	want(t, path, "31\n")
	must(t, fd.Close())
	if err := os.Chmod(path, 0o777); !errors.Is(err, unix.EPERM) {
		t.Error(err)
	}
	if err := os.Chown(path, 1, 1); !errors.Is(err, unix.EPERM) {
		t.Error(err)
	}
	now, err := os.ReadFile("/proc/sys/kernel/panic")
	if err != nil || !bytes.Equal(now, panic0) {
		t.Errorf("the host's value is %q, %v", now, err)
	}
}

func TestViews(t *testing.T) {
	f := serveFS(t, nil)
	for i := range nodes {
		n := &nodes[i]
		if n.kind != view {
			continue
		}
		text, err := os.ReadFile(f.path(n.path))
		if err != nil || len(text) == 0 && n.path != "proc/diskstats" {
			t.Errorf("%s: %q, %v", n.path, text, err)
		}
	}
	before, err := os.ReadFile(f.path("proc/uptime"))
	must(t, err)
	time.Sleep(50 * time.Millisecond)
	after, err := os.ReadFile(f.path("proc/uptime"))
	if err != nil || bytes.Equal(before, after) {
		t.Errorf("uptime %q stands still, %v", after, err)
	}
	want(t, f.path("sys/devices/virtual/dmi/id/product_uuid"), f.UUID+"\n")
}

// TestRewrite: what was written is read, in the kernel's format, at once, by the writer and
// by another process.
func TestRewrite(t *testing.T) {
	f := serveFS(t, nil)
	rounds := "10000"
	if testing.Short() {
		rounds = "500"
	}
	if out, err := child("rewrite", f.path("proc/sys/kernel/printk"), rounds).CombinedOutput(); err != nil {
		t.Errorf("%s, %v", out, err)
	}
}

// child is a process that runs a function of [TestMain].
func child(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD="+name)
	return cmd
}

// childRewrite writes a file and reads it, and has another process read it.
func childRewrite(args []string) error {
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	other := child("reread", args[0])
	in, err := other.StdinPipe()
	if err != nil {
		return err
	}
	out, err := other.StdoutPipe()
	if err != nil {
		return err
	}
	if err := other.Start(); err != nil {
		return err
	}
	for i := range rounds {
		own, err := rewrite(args[0], i%1500)
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if _, err := in.Write([]byte{'\n'}); err != nil {
			return err
		}
		buf := make([]byte, 100)
		m, err := out.Read(buf)
		if err != nil || string(buf[:m]) != own {
			return fmt.Errorf("round %d: the other process reads %q, %w; want %q", i, buf[:m], err, own)
		}
	}
	in.Close()
	return other.Wait()
}

// rewrite writes two of four numbers without truncating, and reads.
func rewrite(path string, n int) (string, error) {
	fd, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer fd.Close()
	if _, err := fmt.Fprintf(fd, "  %d\t0x%x   ", n, n); err != nil {
		return "", err
	}
	buf := make([]byte, 100)
	m, _ := fd.ReadAt(buf, 0)
	text := string(buf[:m])
	if want := fmt.Sprintf("%d\t%d\t", n, n); !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "\n") || strings.Count(text, "\t") != 3 {
		return "", fmt.Errorf("read %q, want %q…", text, want)
	}
	return text, nil
}

// childReread reads a file for each byte that it gets.
func childReread(args []string) error {
	one := make([]byte, 1)
	for {
		if n, _ := os.Stdin.Read(one); n == 0 {
			return nil
		}
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		if _, err := os.Stdout.Write(text); err != nil {
			return err
		}
	}
}
