package seccomp

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// fsopen is fsopen(2): type, flags. Programs that get ENOSYS use mount(2). A context of proc
// or sysfs would have to be followed from here on, through every call and every process that it
// is given to.
func fsopen(r *request) answer {
	fstype, err := r.t.readString(r.args[0])
	if err != nil {
		return unreadable(r.args[0], err)
	}
	if _, ok := kernelTypeOf(fstype); ok {
		return refuse(unix.ENOSYS)
	}
	return proceed()
}

// openTree is open_tree(2): directory, path, flags. A copy of a proc or sysfs has the
// pseudo-files, also where it was to be without what is mounted on it. It does not have the
// directories that are served as a whole: runc opens sysctls there for its containers, with
// RESOLVE_NO_XDEV. The caller gets a directory that it can read, not O_PATH: see [kept].
func openTree(r *request) answer {
	const known = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC |
		unix.AT_EMPTY_PATH | unix.AT_NO_AUTOMOUNT | unix.AT_SYMLINK_NOFOLLOW
	flags := uint64(uint32(r.args[2]))
	if flags&unix.OPEN_TREE_CLONE == 0 || flags&^known != 0 { // AT_RECURSIVE is none of them
		return proceed()
	}
	nofollow := 0
	if flags&unix.AT_SYMLINK_NOFOLLOW != 0 {
		nofollow = unix.O_NOFOLLOW
	}
	path, err := r.t.readString(r.args[1])
	if err != nil {
		return unreadable(r.args[1], err)
	}
	if path == "" && flags&unix.AT_EMPTY_PATH == 0 {
		return proceed()
	}
	s, err := r.t.lookAt(r.args[0], path, nofollow)
	if !r.isKernel(s, err) {
		return proceed()
	}
	dir, err := r.t.findAt(r.args[0], path, nofollow|unix.O_DIRECTORY)
	if err != nil {
		return proceed()
	}
	defer dir.Close()
	st, err := linux.StatFile(dir)
	if err != nil {
		return refuse(errnoOf(err))
	}
	var tree *os.File
	if st.Ino == rootInode[s.Magic] {
		if tree, err = r.copyWhole(dir, kernelFS[s.Magic].fstype); err != nil {
			r.c.logf("agent: open_tree: %v", err)
		}
	} else {
		tree, err = r.copy(dir, true)
	}
	if err != nil {
		return refuse(errnoOf(err))
	}
	top, err := linux.OpenAt(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		tree.Close()
		return refuse(errnoOf(err))
	}
	r.c.kept.add(tree)
	return give(top, flags&unix.OPEN_TREE_CLOEXEC != 0)
}

// findAt is find with a directory that may be meant itself, by an empty path.
func (t *target) findAt(dir uint64, path string, flags int) (*os.File, error) {
	if path == "" {
		return t.directory(int32(dir))
	}
	return t.find(int32(dir), path, flags)
}

// lookAt is look with a directory that may be meant itself.
func (t *target) lookAt(dir uint64, path string, flags int) (linux.Seen, error) {
	if path != "" {
		return t.look(int32(dir), path, flags)
	}
	f, err := t.directory(int32(dir))
	if err != nil {
		return linux.Seen{}, err
	}
	defer f.Close()
	return seen(f)
}

// rootInode is the number of the root directory: PROC_ROOT_INO, and the first of sysfs.
var rootInode = map[int64]uint64{unix.PROC_SUPER_MAGIC: 1, unix.SYSFS_MAGIC: 1}

// moveMount is move_mount(2): from directory and path, to directory and path, flags. Neither is
// a pseudo-file moved, nor anything beneath one, where it could be taken away with what it
// carries.
func moveMount(r *request) answer {
	const beneath = 0x200 // MOVE_MOUNT_BENEATH, Linux 6.5
	flags := r.args[4]
	a, refused := r.stays(r.args[0], r.args[1], flags&unix.MOVE_MOUNT_F_EMPTY_PATH != 0, flags&unix.MOVE_MOUNT_F_SYMLINKS != 0)
	if !refused && flags&beneath != 0 {
		a, _ = r.stays(r.args[2], r.args[3], flags&unix.MOVE_MOUNT_T_EMPTY_PATH != 0, flags&unix.MOVE_MOUNT_T_SYMLINKS != 0)
	}
	return a
}

// stays refuses what is done to a pseudo-file that is in its place.
func (r *request) stays(dir, address uint64, empty, follow bool) (a answer, refused bool) {
	path, err := r.t.readString(address)
	if err != nil {
		a = unreadable(address, err)
		return a, a.kind == kindRefuse
	}
	if path == "" && !empty {
		return proceed(), false
	}
	nofollow := unix.O_NOFOLLOW
	if follow {
		nofollow = 0
	}
	s, err := r.t.lookAt(dir, path, nofollow)
	if err != nil || !r.inPlace(s) || r.isDetached(dir, path) {
		return proceed(), false
	}
	return refuse(unix.EINVAL), true
}

// isDetached tells whether a descriptor is a mount that is in no mount namespace: open_tree(2).
func (r *request) isDetached(dir uint64, path string) bool {
	if path != "" {
		return false
	}
	f, err := r.t.directory(int32(dir))
	if err != nil {
		return false
	}
	defer f.Close()
	ns, err := r.t.namespace("mnt")
	if err != nil {
		return false
	}
	defer ns.Close()
	attached := true
	err = linux.OnThread(func() error {
		if err := linux.VisitMountNS(ns); err != nil {
			return err
		}
		attached, err = linux.Attached(f)
		return err
	})
	return err == nil && !attached
}
