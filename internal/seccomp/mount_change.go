package seccomp

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// bind keeps the pseudo-files in what is bound: a directory of proc or sysfs is bound
// recursively, whether or not that was asked for.
func bind(r *request) answer {
	if r.args[3]&unix.MS_REC != 0 {
		return proceed()
	}
	path, err := r.t.readString(r.args[0])
	if err != nil {
		return proceed()
	}
	if !r.isKernel(r.t.look(unix.AT_FDCWD, path, 0)) {
		return proceed()
	}
	from, err := r.t.find(unix.AT_FDCWD, path, unix.O_DIRECTORY)
	if err != nil {
		return proceed()
	}
	defer from.Close()
	to, err := r.targetOf(r.args[1])
	if err != nil {
		return proceed()
	}
	defer to.Close()
	tree, err := r.copy(from, true)
	if err != nil {
		return refuse(errnoOf(err))
	}
	return r.attach(tree, to)
}

// isKernel tells whether what was seen lies on a proc or sysfs, which the caller may copy.
func (r *request) isKernel(s linux.Seen, err error) bool {
	if err != nil || kernelFS[s.Magic].fstype == "" {
		return false
	}
	may, err := r.t.mayAdminister("mnt")
	return err == nil && may
}

// copy is a detached copy of a tree.
func (r *request) copy(dir *os.File, recursive bool) (tree *os.File, err error) {
	err = r.t.inside(func() error {
		tree, err = linux.OpenTree(dir, "", recursive)
		return err
	})
	return tree, err
}

// move leaves pseudo-files where they are.
func move(r *request) answer {
	path, err := r.t.readString(r.args[0])
	if err != nil {
		return proceed()
	}
	return r.keep(r.t.look(unix.AT_FDCWD, path, 0))
}

// keep refuses what would take a pseudo-file from its place, with the error that the kernel
// has for mounts that are locked.
func (r *request) keep(s linux.Seen, err error) answer {
	if err != nil || s.Dev != r.c.Files.Dev() || !r.inPlace(s.ID) {
		return proceed()
	}
	return refuse(unix.EINVAL)
}

// inPlace tells whether a mount of a pseudo-file covers a node of proc or sysfs. Copies of it
// elsewhere are the container's own affair.
func (r *request) inPlace(id uint64) bool {
	mounts, err := r.t.mounts()
	if err != nil {
		return true
	}
	m, ok := mounts[id]
	if !ok {
		// Detached, or behind a root directory that the caller has changed.
		return false
	}
	parent, ok := mounts[m.parent]
	if !ok {
		return true
	}
	_, ok = kernelTypeOf(parent.fstype)
	return ok
}
