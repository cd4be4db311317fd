package seccomp

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// kernelFS are the file systems that get pseudo-files, by their magic number (statfs(2)):
// their type, and the namespace that they show.
var kernelFS = map[int64]kernelType{
	unix.PROC_SUPER_MAGIC: {"proc", "pid"},
	unix.SYSFS_MAGIC:      {"sysfs", "net"},
}

type kernelType struct{ fstype, namespace string }

// kernelTypeOf finds one by its type, as mount(2) has it.
func kernelTypeOf(fstype string) (k kernelType, ok bool) {
	for _, k := range kernelFS {
		if k.fstype == fstype {
			return k, true
		}
	}
	return kernelType{}, false
}

// mount is mount(2): source, target, type, flags, data. The flags are looked at in the order
// in which the kernel does.
func mount(r *request) answer {
	const propagation = unix.MS_SHARED | unix.MS_PRIVATE | unix.MS_SLAVE | unix.MS_UNBINDABLE
	if r.args[3]&unix.MS_MGC_MSK == unix.MS_MGC_VAL {
		r.args[3] &^= unix.MS_MGC_MSK // a magic number of old programs, and no flags
	}
	switch flags := r.args[3]; {
	case flags&unix.MS_REMOUNT != 0:
		return remount(r)
	case flags&unix.MS_BIND != 0:
		return bind(r)
	case flags&propagation != 0:
		return proceed()
	case flags&unix.MS_MOVE != 0:
		return move(r)
	}
	return newMount(r)
}

// newMount performs the mount of a new proc or sysfs.
func newMount(r *request) answer {
	fstype, err := r.t.readString(r.args[2])
	if err != nil {
		return unreadable(r.args[2], err)
	}
	if k, ok := kernelTypeOf(fstype); ok {
		return r.newInstance(k)
	}
	return proceed()
}

// newInstance makes a proc or sysfs, covers it, and moves it to where the caller wants it.
func (r *request) newInstance(k kernelType) answer {
	const noUser = 1 << 31 // MS_NOUSER: EINVAL
	ok, err := r.t.mayAdminister("mnt", k.namespace)
	if err != nil || !ok || r.args[3]&noUser != 0 {
		return proceed()
	}
	o, err := r.options()
	if err != nil {
		return refuse(errnoOf(err))
	}
	at, err := r.targetOf(r.args[1])
	if err != nil {
		return refuse(errnoOf(err))
	}
	defer at.Close()
	detached, err := r.t.detached(k, o)
	if err != nil {
		return refuse(errnoOf(err))
	}
	defer detached.Close()
	if same, err := sameRoot(detached, at); err != nil || same {
		return refuse(unix.EBUSY) // a sysfs on itself
	}
	tree, err := r.covered(detached, k.fstype, false)
	if err != nil {
		r.c.logf("agent: mount of %s: %v", k.fstype, err)
		return refuse(errnoOf(err))
	}
	return r.attach(tree, at)
}

// covered is the tree of a new proc or sysfs with what belongs on it. In a user namespace that was
// made inside, all of that is locked: anybody can make one, and be root there.
func (r *request) covered(detached *os.File, fstype string, plain bool) (*os.File, error) {
	tree, err := r.c.Files.Instance(detached, fstype, plain)
	if err != nil {
		return nil, err
	}
	inner, err := r.t.isInner()
	if err == nil && !inner {
		return tree, nil
	}
	defer tree.Close()
	if err != nil {
		return nil, err
	}
	return linux.LockTree(tree)
}

// targetOf opens the directory that something is to be mounted on.
func (r *request) targetOf(address uint64) (*os.File, error) {
	path, err := r.t.readString(address)
	if err != nil {
		return nil, err
	}
	return r.t.find(unix.AT_FDCWD, path, unix.O_DIRECTORY)
}

// sameRoot tells whether at is a mount of the very thing that a new mount shows.
func sameRoot(detached, at *os.File) (bool, error) {
	a, err := linux.MountOf(at)
	if err != nil || !a.Root {
		return false, err
	}
	b, err := linux.MountOf(detached)
	return a.Dev == b.Dev, err
}

// attach moves a tree, which it closes, to a place in the caller's mount namespace.
func (r *request) attach(tree, at *os.File) answer {
	defer tree.Close()
	where, err := r.t.where()
	if err != nil {
		return refuse(errnoOf(err))
	}
	m, err := linux.MountOf(tree)
	if err == nil {
		err = within(where.ns, func() error {
			if !r.t.alive() {
				return unix.EINTR
			}
			return linux.MoveMount(tree, at)
		})
	}
	if err != nil {
		where.close()
		return refuse(errnoOf(err))
	}
	a := value(0).undo(func() error { return where.unmount(m.ID) })
	a.release = where.close
	a.still = func(again *request) bool {
		path, err := again.t.readString(again.args[1])
		if err != nil {
			return false
		}
		s, err := again.t.look(unix.AT_FDCWD, path, 0)
		return err == nil && s.Root && s.ID == m.ID
	}
	return a
}
