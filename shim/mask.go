package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
)

// maskOptions are those of what stands in the place of a masked directory.
var maskOptions = []string{"ro", "nosuid", "nodev", "noexec", "mode=0555", "size=4k", "nr_inodes=1"}

// mask hides directories of a volume that is attached: an empty read-only one is
// mounted on each. Nobody inside can take it away, or look under it: runc copies it,
// together with the volume, into a mount namespace of the container's user namespace,
// and there the kernel locks what is mounted to what it is mounted on
// (mount_namespaces(7), "Restrictions on mount namespaces").
//
// What is not there is not hidden. What leads through a link by now, or is no
// directory, could not be hidden, and so the container is not created.
func (b *builder) mask(volume *os.File, dirs []string) error {
	return eachDir(volume, dirs, b.cover)
}

// absent makes sure that none of these directories is there. The policy looked by name,
// and before: what another mount hides on the host was no name then.
func absent(volume *os.File, dirs []string) error {
	return eachDir(volume, dirs, func(*os.File) error { return errors.New("it is there, and a writable volume could move it") })
}

// eachDir opens those directories of a volume that exist, and has each looked at.
func eachDir(volume *os.File, dirs []string, do func(*os.File) error) error {
	for _, dir := range dirs {
		at, err := linux.OpenHow(volume, dir, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = do(at)
			at.Close()
		}
		if err != nil {
			return fmt.Errorf("hide %s: %w", dir, err)
		}
	}
	return nil
}

func (b *builder) cover(at *os.File) error {
	empty, err := b.Tmpfs(maskOptions)
	if err != nil {
		return err
	}
	defer empty.Close()
	return idmap.Attach(empty, at)
}
