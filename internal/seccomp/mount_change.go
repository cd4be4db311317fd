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
		return unreadable(r.args[0], err)
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
		return unreadable(r.args[0], err)
	}
	if m, err := r.t.look(unix.AT_FDCWD, path, 0); err == nil && r.inPlace(m) {
		return refuse(unix.EINVAL)
	}
	return proceed()
}
