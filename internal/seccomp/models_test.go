package seccomp

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// holdTmpfs is a model of what nobody else uses.
func holdTmpfs(t *testing.T) *linux.Held {
	t.Helper()
	dir, err := linux.OpenPath(linuxtest.Tmpfs(t))
	must(t, err)
	defer dir.Close()
	tree, err := linux.OpenTree(dir, "", false)
	must(t, err)
	defer tree.Close()
	must(t, linux.SetAttr(tree, linux.Attr{Propagation: unix.MS_PRIVATE}))
	held, err := linux.HoldTree(tree)
	must(t, err)
	return held
}

// TestModels: no more than so many are held, the newest, each for its mount with its options
// alone, and none at the end.
func TestModels(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	var m models
	for i := range mostModels + 1 {
		m.add(origin{mount: uint64(i)}, holdTmpfs(t))
	}
	has := func(o origin) bool {
		tree := m.copy(o)
		if tree == nil {
			return false
		}
		must(t, tree.Close())
		return true
	}
	for _, tt := range []struct {
		origin origin
		want   bool
	}{
		{origin{mount: 0}, false},
		{origin{mount: 1}, true},
		{origin{mount: mostModels}, true},
		{origin{mount: mostModels, flags: unix.ST_RDONLY}, false},
		{origin{mount: mostModels + 1}, false},
	} {
		if got := has(tt.origin); got != tt.want {
			t.Errorf("%+v: %v", tt.origin, got)
		}
	}
	m.drop(m.all[0].held)
	if has(origin{mount: 1}) {
		t.Error("it was dropped")
	}
	m.close()
	m.add(origin{mount: 1}, holdTmpfs(t))
	if len(m.all) != 0 {
		t.Errorf("%d are left", len(m.all))
	}
}
