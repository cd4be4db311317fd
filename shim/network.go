package shim

import (
	"sync"

	"github.com/eci-runtime/eci/internal/pseudofs"
)

// networks are the network namespaces of the containers of this shim: what a container
// writes into the settings of one, all that share it read.
type networks struct {
	mu    sync.Mutex
	known map[uint64]*network // by inode
}

// network is one of them.
type network struct {
	all    *networks
	inode  uint64 // 0: not made yet
	users  int
	values *pseudofs.Values
}

// join finds the values of a network namespace; inode 0 is one that is going to be made.
func (ns *networks) join(inode uint64) *network {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.known[inode]
	if n == nil || inode == 0 {
		n = &network{all: ns, values: pseudofs.NewValues()}
		ns.put(n, inode)
	}
	n.users++
	return n
}

// made says which one it has become.
func (n *network) made(inode uint64) {
	n.all.mu.Lock()
	defer n.all.mu.Unlock()
	if n.inode == 0 {
		n.all.put(n, inode)
	}
}

// leave forgets the values with the last container that has them.
func (n *network) leave() {
	n.all.mu.Lock()
	defer n.all.mu.Unlock()
	if n.users--; n.users == 0 {
		delete(n.all.known, n.inode)
	}
}

func (ns *networks) put(n *network, inode uint64) {
	if ns.known == nil {
		ns.known = make(map[uint64]*network)
	}
	if n.inode = inode; inode != 0 {
		ns.known[inode] = n
	}
}
