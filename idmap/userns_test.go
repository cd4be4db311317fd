package idmap

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// waitGone waits until the thread tid is gone.
func waitGone(t *testing.T, tid int) {
	t.Helper()
	for range 200 {
		if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid)); errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("thread %d is still there", tid)
}

// nsenter runs a shell script in the user namespace ns.
func nsenter(t *testing.T, ns *os.File, script string) string {
	t.Helper()
	bin, err := exec.LookPath("nsenter")
	if err != nil {
		linuxtest.Missing(t, err.Error())
	}
	cmd := exec.Command(bin, "--user=/proc/self/fd/3", "--setuid", "0", "--setgid", "0", "sh", "-c", script)
	cmd.ExtraFiles = []*os.File{ns}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestNewUserNamespace(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	for _, r := range []Range{testRange, {1, 1}, {4294967294, 1}, {100000, 4000000000}} {
		ns, err := NewUserNamespace(r)
		if err != nil {
			t.Fatal(err)
		}
		want := "0 " + itoa(r.Base) + " " + itoa(r.Size)
		want += " " + want + " allow"
		if got := nsenter(t, ns, "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups"); got != want {
			t.Errorf("%v: %s, want %s", r, got, want)
		}
		parent, err := linux.ParentNS(ns)
		must(t, err)
		own, err := linux.OpenNS(0, "user")
		must(t, err)
		a, _ := linux.StatFile(parent)
		b, _ := linux.StatFile(own)
		if a.Ino != b.Ino || a.Ino == 0 {
			t.Errorf("parent is %d, not %d", a.Ino, b.Ino)
		}
		own.Close()
		parent.Close()
		ns.Close()
	}
	for _, r := range []Range{{}, {0, 65536}, {4294967290, 100}} {
		if _, err := NewUserNamespace(r); !errors.Is(err, ErrInvalidRange) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// TestNewUserNamespaceBesideReaper: somebody else in the process collects every
// child; none of ours is left, and none raises a signal.
func TestNewUserNamespaceBesideReaper(t *testing.T) {
	linuxtest.Root(t)
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		reaped := 0
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if err == nil && pid > 0 {
				reaped++
			}
			select {
			case <-stop:
				done <- reaped
				return
			default:
			}
		}
	}()
	for range 50 {
		ns, err := NewUserNamespace(testRange)
		if err != nil {
			t.Error(err)
			break
		}
		ns.Close()
	}
	close(stop)
	if n := <-done; n != 0 {
		t.Errorf("the reaper collected %d children", n)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

// TestUserNamespaceErrors: what the kernel refuses is put into words.
func TestUserNamespaceErrors(t *testing.T) {
	linuxtest.Root(t)
	for what, want := range map[string]string{
		"limit":    "make user namespace for 1-10: the limit user.max_user_namespaces or of their depth is reached: clone: no space left on device",
		"unmapped": "make user namespace for 700000-765535: not allowed, or the range is not mapped where this process runs: write ",
	} {
		out, err := linuxtest.InUserNS(t, testRange.Base, testRange.Size, "userns", what)
		if err == nil || !strings.HasPrefix(out, want) {
			t.Errorf("%s: %s, %v; want %s", what, out, err, want)
		}
	}
}

// childUserNS fails to make a user namespace.
func childUserNS(args []string) error {
	r := testRange
	if args[0] == "limit" {
		r = Range{1, 10}
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
			return err
		}
	}
	_, err := NewUserNamespace(r)
	return err
}
