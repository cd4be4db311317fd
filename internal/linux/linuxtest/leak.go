package linuxtest

import (
	"flag"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
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
		if err != nil || strings.HasPrefix(what, "anon_inode:[event") || isProfile(what) {
			continue
		}
		out = append(out, e.Name()+" "+what)
	}
	return out
}

// newSince are the descriptors that were not there before. What is closed in the
// background gets a second to be.
func newSince(before []string) []string {
	var left []string
	for range 100 {
		left = slices.DeleteFunc(descriptors(), func(d string) bool { return slices.Contains(before, d) })
		if len(left) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return left
}

// isProfile tells whether path is what a flag of the test binary names.
func isProfile(path string) bool {
	found := false
	flag.Visit(func(f *flag.Flag) {
		found = found || f.Value.String() != "" && filepath.Base(f.Value.String()) == filepath.Base(path)
	})
	return found
}
