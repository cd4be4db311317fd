package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// testCgroup is a cgroup of the test's own, in a hierarchy that takes any process.
func testCgroup(t *testing.T) string {
	t.Helper()
	linuxtest.Root(t)
	roots, err := cgroupRoots()
	if err != nil || len(roots) == 0 {
		t.Fatalf("cgroup hierarchies: %v, %v", roots, err)
	}
	root := roots[0]
	if i := slices.IndexFunc(roots, func(r string) bool { return filepath.Base(r) == "pids" }); i >= 0 {
		root = roots[i]
	}
	dir, err := os.MkdirTemp(root, "eci-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := endCgroups(map[string]string{"": dir}); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// nest makes a cgroup in each one before, with a sibling, and opens the last.
func nest(t *testing.T, dir, name string, depth int) *walker {
	t.Helper()
	w, err := walk(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		err := errors.Join(linux.Mkdir(w.at, "sibling", 0o755), linux.Mkdir(w.at, name, 0o755), w.into(name))
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestCgroupTree: deeper than a path may be long, with a process at the end.
func TestCgroupTree(t *testing.T) {
	linuxtest.NoLeak(t)
	dir := testCgroup(t)
	paths := map[string]string{"pids": dir}
	if hasCgroupsBelow(paths) {
		t.Error("there is nothing below it yet")
	}
	const depth = 40
	name := strings.Repeat("d", 200)
	w := nest(t, dir, name, depth)
	defer w.close()
	if !hasCgroupsBelow(paths) {
		t.Error("the cgroups below it are not seen")
	}

	seen := map[string]int{}
	forEachCgroupBelow(t.Context(), dir, func(cgroup *os.File) { seen[filepath.Base(cgroup.Name())]++ })
	if seen["sibling"] != depth || seen[name] != depth || len(seen) != 2 {
		t.Errorf("visited %d siblings, %d others", seen["sibling"], seen[name])
	}

	sleep := exec.Command("sleep", "100000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sleep.Wait() }()
	if err := writeIn(w.at, "cgroup.procs", strconv.Itoa(sleep.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	if err := removeCgroupsBelow(t.Context(), dir); !errors.Is(err, unix.EBUSY) {
		t.Errorf("with a process: %v", err)
	}
	if err := endCgroupsBelow(t.Context(), paths); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process: %v", err)
	}
	if hasCgroupsBelow(paths) {
		t.Error("something is left")
	}
	if err := endCgroups(paths); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := errors.Join(endCgroups(paths), removeCgroupsBelow(t.Context(), dir)); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// TestManyCgroups: all are visited once, and removed, as long as there is time.
func TestManyCgroups(t *testing.T) {
	dir := testCgroup(t)
	want := map[string]bool{}
	for i := range 1000 {
		name := fmt.Sprintf("c%d", i)
		if err := os.MkdirAll(filepath.Join(dir, name, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		want[name] = true
	}
	inner := 0
	forEachCgroupBelow(t.Context(), dir, func(cgroup *os.File) {
		if cgroup.Name() == "in" {
			inner++
		}
		delete(want, cgroup.Name())
	})
	if inner != 1000 || len(want) > 0 {
		t.Errorf("visited %d inner ones, not %v", inner, want)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	forEachCgroupBelow(over, dir, func(*os.File) { t.Error("visited although the time is over") })
	if err := removeCgroupTree(over, dir); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := removeCgroupTree(t.Context(), dir); err != nil {
		t.Error(err)
	}
}
