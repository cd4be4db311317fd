package linuxtest

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	envIsolated = "LINUXTEST_ISOLATED"
	envChild    = "LINUXTEST_CHILD"
)

// Main is for TestMain. It runs the tests in a private mount namespace of their
// own, if it is allowed to make one, so that no mount of theirs can stay on the
// host. It fails if the tests leave a descriptor open.
//
// children are what [InUserNS] can call.
func Main(m *testing.M, children map[string]func(args []string) error) {
	if name := os.Getenv(envChild); name != "" {
		// Unlike os.Exit, syscall.Exit does not write coverage data, which
		// the child could not.
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			syscall.Exit(1)
		}
		syscall.Exit(0)
	}
	if os.Geteuid() == 0 && os.Getenv(envIsolated) == "" {
		fmt.Fprintln(os.Stderr, "isolate:", isolate())
		os.Exit(1)
	}
	before := descriptors()
	code := m.Run()
	if left := newSince(before); len(left) > 0 && code == 0 {
		fmt.Fprintln(os.Stderr, "descriptors left open:", left)
		code = 1
	}
	os.Exit(code)
}

// isolate executes the test binary again in a private mount namespace.
func isolate() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), envIsolated+"=1"))
}

// Root skips a test that needs root. Where CI is set it fails instead: there
// the tests must be run as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	Missing(t, "needs root")
}

// Missing skips a test for a reason that lies in the machine; where CI is set it
// fails.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
