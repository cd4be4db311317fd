package linuxtest

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// NoLeak fails a test that leaves descriptors open. The garbage collector is
// off meanwhile, for it closes files that were forgotten.
func NoLeak(t testing.TB) {
	t.Helper()
	percent := debug.SetGCPercent(-1)
	before := descriptors()
	t.Cleanup(func() {
		left := newSince(before)
		debug.SetGCPercent(percent)
		if len(left) > 0 {
			t.Error("descriptors left open:", left)
		}
	})
}

// descriptors are the open descriptors, "<number> <what it is>", without those
// of the runtime's poller.
func descriptors() []string {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		what, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || strings.HasPrefix(what, "anon_inode:[event") {
			continue
		}
		out = append(out, e.Name()+" "+what)
	}
	return out
}

func newSince(before []string) []string {
	return slices.DeleteFunc(descriptors(), func(d string) bool { return slices.Contains(before, d) })
}
