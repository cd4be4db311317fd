package linux

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestCapsOfOneThread: capabilities and groups change what this thread may do, and of no
// other.
func TestCapsOfOneThread(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	must(t, os.Mkdir(dir+"/closed", 0o700))
	must(t, os.Chown(dir+"/closed", 1234, 1234))
	must(t, os.Mkdir(dir+"/group", 0o700))
	must(t, os.Chmod(dir+"/group", 0o770))
	must(t, os.Chown(dir+"/group", 0, 4321))
	before, err := unix.Getgroups()
	must(t, err)
	must(t, OnThread(func() error {
		must(t, SetGroups([]uint32{4321}))
		must(t, SetFSIDs(1235, 1235))
		must(t, SetEffectiveCaps(0))
		if err := Mkdir(nil, dir+"/closed/a", 0o700); !errors.Is(err, unix.EACCES) {
			t.Errorf("without capabilities: %v", err)
		}
		must(t, Mkdir(nil, dir+"/group/a", 0o700))
		must(t, SetEffectiveCaps(1<<unix.CAP_DAC_OVERRIDE))
		must(t, Mkdir(nil, dir+"/closed/a", 0o700))
		return nil
	}))
	after, err := unix.Getgroups()
	if err != nil || len(after) != len(before) {
		t.Errorf("groups of the process are %v, %v", after, err)
	}
	must(t, os.Remove(dir+"/closed/a"))
}

func TestChangeRoot(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	must(t, os.WriteFile(dir+"/file", nil, 0o600))
	root, err := OpenPath(dir)
	must(t, err)
	defer root.Close()
	must(t, OnThread(func() error {
		must(t, ChangeRoot(root))
		for _, path := range []string{"/file", "file", "../file"} {
			if _, err := StatAt(nil, path); err != nil {
				t.Error(err)
			}
		}
		return nil
	}))
	if _, err := os.Stat("/file"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the root of the process has changed: %v", err)
	}
}

func TestAffinity(t *testing.T) {
	mask := make([]byte, 1024)
	n, err := Affinity(0, mask)
	if err != nil || n == 0 || n%8 != 0 || mask[0] == 0 && n == 8 {
		t.Errorf("%d, %v, %v", n, mask[:8], err)
	}
	if _, err := Affinity(0, nil); !errors.Is(err, unix.EINVAL) {
		t.Errorf("no mask: %v", err)
	}
	if _, err := Affinity(1<<30, mask); !errors.Is(err, unix.ESRCH) {
		t.Errorf("no thread: %v", err)
	}
}
