package seccomp

import (
	"os"
	"slices"
	"sync"
	"time"
)

// kept are detached trees of which callers have a directory. That is not what open_tree(2)
// gives, which the kernel would not hand over (SECCOMP_IOCTL_NOTIF_ADDFD takes no O_PATH): when
// it is closed the tree stays, but when the agent closes its own descriptor the tree falls apart
// and can be looked at, but not mounted, any more. So it is held for a while.
type kept struct {
	mu     sync.Mutex
	closed bool
	trees  []*os.File // oldest first
}

const (
	mostKept = 16
	keptFor  = 30 * time.Second
)

// add holds a tree that it takes over.
func (k *kept) add(tree *os.File) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		tree.Close()
		return
	}
	if len(k.trees) == mostKept {
		k.trees[0].Close()
		k.trees = slices.Delete(k.trees, 0, 1)
	}
	k.trees = append(k.trees, tree)
	time.AfterFunc(keptFor, func() { k.drop(tree) })
}

// drop lets a tree go.
func (k *kept) drop(tree *os.File) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.Index(k.trees, tree); i >= 0 {
		tree.Close()
		k.trees = slices.Delete(k.trees, i, i+1)
	}
}

// close lets all go, and those that come later.
func (k *kept) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for _, tree := range k.trees {
		tree.Close()
	}
	k.trees = nil
}
