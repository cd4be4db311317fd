package seccomp

import (
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func waitFor(t testing.TB, what func() bool) {
	t.Helper()
	for range 1000 {
		if what() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("waited for too long")
}

// TestZeroRefuses: an answer that nobody has given fails the call.
func TestZeroRefuses(t *testing.T) {
	if a := (answer{}); a.kind != kindRefuse || a.errno != 0 {
		t.Errorf("%+v", a)
	}
}

func TestParseMounts(t *testing.T) {
	const text = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 23 0:50 /meminfo /proc/meminfo rw master:2 propagate_from:3 - fuse pseudo rw
25 22 0:60 / /a\040b\134c\011d\012e rw - tmpfs none rw
not a mount
26 x 0:60 / /f rw - tmpfs none rw
27 22 0:60 / /g rw
`
	want := map[uint64]mounted{
		22: {1, unix.Mkdev(8, 1), "/", "ext4"},
		23: {22, unix.Mkdev(0, 21), "/proc", "proc"},
		24: {23, unix.Mkdev(0, 50), "/proc/meminfo", "fuse"},
		25: {22, unix.Mkdev(0, 60), "/a b\\c\td\ne", "tmpfs"},
	}
	if got := parseMounts(text); !maps.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestCoveredOnly(t *testing.T) {
	const proc, pseudo, other = 100, 200, 300
	mounts := map[uint64]mounted{
		1: {0, other, "/", "ext4"},
		2: {1, proc, "/covered", "proc"},
		3: {2, pseudo, "/covered/uptime", "fuse"},
		4: {2, proc, "/covered/sys", "proc"}, // a part of itself
		5: {4, pseudo, "/covered/sys/x", "fuse"},
		6: {1, proc, "/bare", "proc"},
		7: {1, proc, "/used", "proc"},
		8: {7, pseudo, "/used/uptime", "fuse"},
		9: {8, other, "/used/uptime", "tmpfs"},
	}
	for id, want := range map[uint64]bool{2: true, 6: false, 7: false, 99: false} {
		if got := coveredOnly(mounts, linux.Mounted{Dev: proc, ID: id}, pseudo); got != want {
			t.Errorf("%d: %t", id, got)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, tt := range []struct {
		flags uint64
		want  int
	}{
		{0, unix.MOUNT_ATTR_RELATIME},
		{unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME},
		{unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME},
		{unix.MS_STRICTATIME | unix.MS_NOATIME, unix.MOUNT_ATTR_STRICTATIME},
		{unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_SILENT, unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID},
		{
			unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NODIRATIME | unix.MS_NOSYMFOLLOW,
			unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NODIRATIME | unix.MOUNT_ATTR_NOSYMFOLLOW,
		},
	} {
		if got := attributes(tt.flags); got != tt.want {
			t.Errorf("%#x: %#x, not %#x", tt.flags, got, tt.want)
		}
	}
}

// TestKept: no more than so many trees are held, the newest, and none at the end.
func TestKept(t *testing.T) {
	linuxtest.NoLeak(t)
	var k kept
	var all []*os.File
	for range mostKept + 3 {
		f, err := os.Open("/dev/null")
		must(t, err)
		all = append(all, f)
		k.add(f)
	}
	k.drop(all[5])
	k.drop(all[5])
	want := slices.Delete(slices.Clone(all[3:]), 2, 3)
	if !slices.Equal(k.trees, want) {
		t.Errorf("%d trees", len(k.trees))
	}
	k.close()
	late, err := os.Open("/dev/null")
	must(t, err)
	k.add(late)
	for i, f := range append(all, late) {
		if err := f.Close(); err == nil {
			t.Errorf("%d was open", i)
		}
	}
}

// TestInHand: what is done for one thread is done one after the other.
func TestInHand(t *testing.T) {
	var h inHand
	var all sync.WaitGroup
	var at [3]int
	for i := range 300 {
		all.Go(func() {
			h.take(uint32(i % 3))
			at[i%3]++ // the race detector would tell
			h.leave(uint32(i % 3))
		})
	}
	all.Wait()
	if at != [3]int{100, 100, 100} || len(h.threads) != 0 {
		t.Errorf("%v, %d left", at, len(h.threads))
	}
}

func TestLines(t *testing.T) {
	var l lines
	now := time.Now()
	n := 0
	for range 10 * mostLines {
		if l.allow(now) {
			n++
		}
	}
	if n != mostLines || l.allow(now.Add(59*time.Second)) || !l.allow(now.Add(time.Minute)) {
		t.Errorf("%d lines", n)
	}
}
