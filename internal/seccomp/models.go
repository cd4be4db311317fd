package seccomp

import (
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// models are trees with the pseudo-files, of mounts of proc and sysfs that were copied a moment
// ago. runc copies its /proc some hundred times for each container, and to put forty pseudo-files
// into each took longer than all the rest of a start: a copy of a model is one call.
type models struct {
	mu     sync.Mutex
	closed bool
	all    []model // oldest first
}

type model struct {
	of   origin
	held *linux.Held
}

// origin is the mount that a model was copied from. The kernel never gives a number twice, and a
// mount is in one mount namespace all its life.
type origin struct {
	mount uint64
	flags int64 // of statfs(2): read-only and the like, which can be changed
}

const (
	mostModels = 8
	modelFor   = 5 * time.Second // that long it holds a PID namespace and a proc of the container
)

// originOf is false on a kernel without such numbers, before 6.8.
func originOf(dir *os.File) (o origin, ok bool) {
	id, ok := linux.UniqueMount(dir)
	if !ok {
		return o, false
	}
	flags, err := linux.MountFlags(dir)
	return origin{id, flags}, err == nil
}

// copy makes a copy of the model of a mount, nil if there is none.
func (m *models) copy(of origin) *os.File {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.all, func(have model) bool { return have.of == of })
	if i < 0 {
		return nil
	}
	tree, err := m.all[i].held.Copy()
	if err != nil {
		m.remove(i)
		return nil
	}
	return tree
}

// add takes over a tree as the model of a mount.
func (m *models) add(of origin, held *linux.Held) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		held.Close()
		return
	}
	if len(m.all) == mostModels {
		m.remove(0)
	}
	m.all = append(m.all, model{of, held})
	time.AfterFunc(modelFor, func() { m.drop(held) })
}

func (m *models) drop(held *linux.Held) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.IndexFunc(m.all, func(have model) bool { return have.held == held }); i >= 0 {
		m.remove(i)
	}
}

// remove is called with mu held.
func (m *models) remove(i int) {
	m.all[i].held.Close()
	m.all = slices.Delete(m.all, i, i+1)
}

// close lets all go, and those that come later.
func (m *models) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for len(m.all) > 0 {
		m.remove(0)
	}
}

// copyWhole is a copy of the proc or sysfs whose root is dir: without what is mounted on it, and
// with the pseudo-files.
func (r *request) copyWhole(dir *os.File, fstype string) (*os.File, error) {
	of, ok := originOf(dir)
	// In a user namespace that was made inside, all is locked anew in each copy.
	inner, err := r.t.isInner()
	if err != nil || inner || !ok {
		return r.build(dir, fstype)
	}
	if tree := r.c.models.copy(of); tree != nil {
		return tree, nil
	}
	tree, err := r.build(dir, fstype)
	if err != nil {
		return nil, err
	}
	held, err := linux.HoldTree(tree)
	tree.Close()
	if err != nil {
		return r.build(dir, fstype)
	}
	tree, err = held.Copy()
	r.c.models.add(of, held)
	return tree, err
}

// build puts the pseudo-files into a copy.
func (r *request) build(dir *os.File, fstype string) (*os.File, error) {
	bare, err := r.copy(dir, false)
	if err != nil {
		return nil, err
	}
	defer bare.Close()
	// What is mounted on a copy of a shared mount would be mounted on that, too.
	if err := linux.SetAttr(bare, linux.Attr{Propagation: unix.MS_PRIVATE}); err != nil {
		return nil, err
	}
	return r.covered(bare, fstype, true)
}
