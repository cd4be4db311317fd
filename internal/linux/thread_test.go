package linux

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// gone waits until the thread or process below dir is gone.
func gone(path string) bool {
	for range 400 {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

// TestOnThread: many at once, each on another thread that is not the main one,
// and none changes the process.
func TestOnThread(t *testing.T) {
	linuxtest.NoLeak(t)
	dir, err := os.Getwd()
	must(t, err)
	umask := unix.Umask(0o022)
	defer unix.Umask(umask)
	tids := make(chan int, 100)
	errs := make(chan error, 100)
	for range 100 {
		go func() {
			errs <- OnThread(func() error {
				tids <- unix.Gettid()
				if old := unix.Umask(0o077); old != 0 {
					return errors.New("umask is " + strconv.Itoa(old))
				}
				return unix.Chdir("/")
			})
		}()
	}
	for range 100 {
		must(t, <-errs)
		tid := <-tids
		if tid == os.Getpid() {
			t.Error("the main thread is used")
		}
		if !gone("/proc/self/task/" + strconv.Itoa(tid)) {
			t.Errorf("thread %d is still there", tid)
		}
	}
	if now, err := os.Getwd(); now != dir || err != nil {
		t.Errorf("working directory is %s, %v", now, err)
	}
	if now := unix.Umask(0o022); now != 0o022 {
		t.Errorf("umask is %o", now)
	}
}

// TestOnThreadFromMain: the goroutine that holds the main thread may use it.
func TestOnThreadFromMain(t *testing.T) {
	held := make(chan bool)
	for range 50 { // until the main thread is hit, most likely
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if err := OnThread(func() error {
				if unix.Gettid() == os.Getpid() {
					return errors.New("the main thread is used")
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			held <- true
		}()
		<-held
	}
}

func TestOnThreadEnds(t *testing.T) {
	if err := OnThread(func() error { return os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := OnThread(func() error { runtime.Goexit(); return nil }); !errors.Is(err, errGoexit) {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	linuxtest.Root(t)
	dir := linuxtest.Dir(t)
	must(t, OnThread(func() error {
		must(t, KeepCaps())
		must(t, KeepCaps())
		must(t, SetFSIDs(1234, 1235))
		// The capability CAP_DAC_OVERRIDE is there still.
		must(t, os.WriteFile(dir+"/file", nil, 0o600))
		return SetFSIDs(0, 0)
	}))
	st, err := StatAt(nil, dir+"/file")
	if err != nil || st.UID != 1234 || st.GID != 1235 {
		t.Errorf("%+v, %v", st, err)
	}
	must(t, OnThread(func() error {
		must(t, SetFSIDs(1234, 1235))
		if err := os.WriteFile(dir+"/other", nil, 0o600); !errors.Is(err, os.ErrPermission) {
			t.Errorf("capabilities are kept: %v", err)
		}
		if err := SetFSIDs(1<<32-1, 0); err == nil {
			t.Error("an invalid ID is accepted")
		}
		return nil
	}))
}

func TestMountNamespace(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	must(t, OnThread(func() error {
		home, err := OpenNS(0, "mnt")
		must(t, err)
		defer home.Close()
		must(t, unix.Unshare(unix.CLONE_NEWNS))
		must(t, Mount("tmpfs", dir, "tmpfs", 0, ""))
		must(t, os.WriteFile(dir+"/file", nil, 0o600))
		must(t, EnterMountNS(home))
		if _, err := os.Stat(dir + "/file"); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		return nil
	}))
	if err := EnterMountNS(os.Stdin); err == nil {
		t.Error("standard input is a mount namespace")
	}
}

func TestClocks(t *testing.T) {
	mono, err := Monotonic()
	must(t, err)
	boot, err := Boottime()
	if err != nil || mono <= 0 || boot < mono {
		t.Errorf("monotonic %v, since boot %v, %v", mono, boot, err)
	}
}
