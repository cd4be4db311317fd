package linux

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestMountsChanged(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	mounts, err := OpenAt(nil, "/proc/self/mountinfo", unix.O_RDONLY, 0)
	must(t, err)
	defer mounts.Close()
	want := func(what string, want bool) {
		t.Helper()
		if got, err := MountsChanged(mounts); got != want || err != nil {
			t.Errorf("%s: %t, %v", what, got, err)
		}
	}
	want("nothing was done", false)
	dir := t.TempDir()
	must(t, unix.Mount("t", dir, "tmpfs", 0, ""))
	want("after a mount", true)
	want("it was told", false)
	must(t, unix.Unmount(dir, 0))
	want("after an unmount", true)
}
