package pseudofs

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Kind is a file system of the kernel that pseudo-files stand in.
type Kind int

// The kinds.
const (
	Proc Kind = iota // procfs
	Sys              // sysfs
)

// kinds are what is known of each.
var kinds = map[Kind]struct {
	root  string // first part of the paths of its nodes
	magic int64  // statfs(2)
}{
	Proc: {"proc", unix.PROC_SUPER_MAGIC},
	Sys:  {"sys", unix.SYSFS_MAGIC},
}

// Cover mounts the pseudo-files over the nodes of a proc or sysfs whose root directory is
// root. The calling thread, inside [linux.OnThread], is in the mount namespace in which that
// is attached.
//
// What that instance does not have is not shown. What something is mounted on already is
// left alone, and counted; so is what the kernel gives the container of its own. What lies
// in a read-only mount becomes read-only.
func (f *FS) Cover(root *os.File, kind Kind) error {
	places, err := f.places(root, kind, true)
	defer places.close()
	if err != nil {
		return err
	}
	// The file system is mounted in the namespace of all other threads.
	done := make(chan error, 1)
	go func() { done <- f.clone(nil, places.all) }()
	if err := <-done; err != nil {
		return err
	}
	return attach(places.all)
}

// places are nodes of an instance that are to be mounted on.
type places struct {
	all  []place
	open []*os.File // directories, and nodes that are found in the network namespace only
}

// place is a node of an instance, and what is to be mounted on it.
type place struct {
	entry    string // in the root of the file system
	at       *os.File
	name     string // below at; "": at itself
	readOnly bool
	tree     *os.File // nil until it is cloned
}

func (p *places) close() {
	for i := range p.all {
		if tree := p.all[i].tree; tree != nil {
			tree.Close()
		}
	}
	for _, f := range p.open {
		f.Close()
	}
}

// clone makes a mount for each place. dir is the root of the file system as it is mounted in
// the mount namespace of the thread; nil: on its directory.
func (f *FS) clone(dir *os.File, places []place) (err error) {
	if dir == nil {
		if dir, err = linux.OpenPath(f.Dir); err != nil {
			return err
		}
		defer dir.Close()
	}
	f.list(dir)
	for i := range places {
		if places[i].tree, err = linux.OpenTree(dir, places[i].entry, false); err != nil {
			return err
		}
	}
	return nil
}

// attach mounts what was cloned.
func attach(places []place) error {
	for _, p := range places {
		if p.readOnly {
			if err := linux.SetAttr(p.tree, linux.Attr{Set: unix.MOUNT_ATTR_RDONLY}); err != nil {
				return err
			}
		}
		mount := func() error { return linux.MoveMountTo(p.tree, p.at, p.name) }
		if p.name == "" {
			mount = func() error { return linux.MoveMount(p.tree, p.at) }
		}
		if err := mount(); err != nil {
			return fmt.Errorf("cover %s: %w", strings.ReplaceAll(p.entry, ".", "/"), err)
		}
	}
	return nil
}

// places finds the nodes of an instance that are to be mounted on. withServed puts the
// served directories among them, and then not the nodes that they have.
func (f *FS) places(root *os.File, kind Kind, withServed bool) (*places, error) {
	s := search{fs: f, root: root, kind: kind, withServed: withServed, found: &places{}}
	err := s.under(kinds[kind].root, false)
	if err != nil || kind != Proc {
		return s.found, err
	}
	// What /proc/sys/net has depends on who looks: the entries that the container sees
	// are found, and mounted on, by a thread in its network namespace only.
	ns, err := networkOf(root)
	if err != nil {
		// Nobody is there any more (ENOENT); or who is there is no container's process,
		// but one of more rights than this one has (EACCES).
		f.Logf("leave /proc/sys/net alone: %v", err)
		return s.found, nil
	}
	defer ns.Close()
	st, err := linux.StatFile(ns)
	if err != nil {
		return s.found, err
	}
	f.net.own.CompareAndSwap(0, st.Ino)
	s.own = st.Ino == f.net.own.Load()
	s.path = ""
	return s.found, enterNetNS(ns, func() error { return s.under(kinds[kind].root, true) })
}

// networkOf opens the network namespace of the first process of a proc instance.
func networkOf(root *os.File) (*os.File, error) {
	dir, err := linux.OpenHow(root, "1/ns", unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	ns, err := linux.OpenAt(dir, "net", unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if kind, err := linux.NSType(ns); err != nil || kind != unix.CLONE_NEWNET {
		ns.Close()
		return nil, fmt.Errorf("network namespace of a proc: %w", linux.ErrNoNamespace)
	}
	return ns, nil
}
