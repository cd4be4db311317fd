package idmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Node is a device node of a container.
type Node struct {
	// Path is below /dev: "null", "net/tun".
	Path string
	// Mode is type (S_IFCHR, S_IFBLK or S_IFIFO) and permissions.
	Mode uint32
	// Major and Minor are the device's numbers.
	Major, Minor uint32
	// UID and GID are container IDs.
	UID, GID uint32
}

// devLinks are the symbolic links of every /dev.
var devLinks = []struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
	{"ptmx", "pts/ptmx"},
	{"core", "/proc/kcore"},
}

// devDirs are the directories of every /dev, for what is mounted there.
var devDirs = []string{"pts", "shm", "mqueue"}

// Dev makes a detached tmpfs for /dev with the given nodes, the usual symbolic
// links and directories, to be given to [Attach]. It belongs to the host's user
// namespace, so that device nodes on it can be opened; nodes have the owners
// that the container sees, shifted into its range. attr are MOUNT_ATTR_* bits
// besides nosuid.
//
// A node "ptmx" is left out: the link leads to that of the container's own
// devpts. A node that is there twice is made once.
//
// ErrNotMapped: an owner is outside of the range. ErrMountPoint: a node has an
// unusable path or type, or two nodes have the same path.
func (s *Stage) Dev(nodes []Node, attr int) (*os.File, error) {
	tree, err := s.newTmpfs(unix.MOUNT_ATTR_NOSUID|attr, "mode", "755", "size", "65536k")
	if err != nil {
		return nil, fmt.Errorf("make /dev: %w", err)
	}
	if err := s.AsRoot(func() error { return s.fillDev(tree, nodes) }); err != nil {
		return nil, fmt.Errorf("make /dev: %w", errors.Join(err, tree.Close()))
	}
	return tree, nil
}

func (s *Stage) fillDev(dev *os.File, nodes []Node) error {
	for _, dir := range devDirs {
		if err := linux.Mkdir(dev, dir, 0o755); err != nil {
			return err
		}
	}
	for _, l := range devLinks {
		if err := linux.Symlink(l.target, dev, l.name); err != nil {
			return err
		}
	}
	for i, n := range nodes {
		if n.Path == "ptmx" {
			continue // the link leads to the container's own
		}
		err := s.makeNode(dev, n)
		if errors.Is(err, fs.ErrExist) && slices.Contains(nodes[:i], n) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) makeNode(dev *os.File, n Node) error {
	if !fs.ValidPath(n.Path) || n.Path == "." {
		return fmt.Errorf("%w: device %q is not a path below /dev", ErrMountPoint, n.Path)
	}
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO:
	default:
		return fmt.Errorf("%w: %s is neither a device nor a FIFO", ErrMountPoint, n.Path)
	}
	uid, err := s.Range.HostID(n.UID)
	if err != nil {
		return fmt.Errorf("owner of %s: %w", n.Path, err)
	}
	gid, err := s.Range.HostID(n.GID)
	if err != nil {
		return fmt.Errorf("group of %s: %w", n.Path, err)
	}
	if err := makeParents(dev, path.Dir(n.Path)); err != nil {
		return err
	}
	err = linux.Mknod(dev, n.Path, n.Mode, unix.Mkdev(n.Major, n.Minor))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", ErrMountPoint, err)
	}
	if err != nil {
		return err
	}
	if n.UID == 0 && n.GID == 0 {
		return nil
	}
	err = linux.Chown(dev, n.Path, uid, gid)
	if err == nil && n.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		err = linux.Chmod(dev, n.Path, n.Mode&0o7777) // chown took them away
	}
	return err
}

// makeParents makes the directory dir below dev and those on the way.
func makeParents(dev *os.File, dir string) error {
	if dir == "." {
		return nil
	}
	for i, c := range dir + "/" {
		if c != '/' {
			continue
		}
		err := linux.Mkdir(dev, dir[:i], 0o755)
		if !errors.Is(err, fs.ErrExist) {
			if err != nil {
				return err
			}
			continue
		}
		st, err := linux.StatAt(dev, dir[:i])
		if err != nil {
			return err
		}
		if !st.IsDir() {
			return fmt.Errorf("%w: /dev/%s is not a directory", ErrMountPoint, dir[:i])
		}
	}
	return nil
}

// newTmpfs makes a detached mount of a new tmpfs that belongs to the
// container's root, with the given MOUNT_ATTR_* bits and parameters: name,
// value, name, value …
func (s *Stage) newTmpfs(attr int, params ...string) (*os.File, error) {
	base := strconv.FormatUint(uint64(s.Range.Base), 10)
	return newTmpfs(attr, append(params, "uid", base, "gid", base)...)
}

func newTmpfs(attr int, params ...string) (*os.File, error) {
	fs, err := linux.NewFS("tmpfs")
	if err != nil {
		return nil, err
	}
	defer fs.Close()
	for i := 0; i < len(params); i += 2 {
		if err := fs.Set(params[i], params[i+1]); err != nil {
			return nil, fmt.Errorf("tmpfs option %s: %w", strings.Join(params[i:i+2], "="), err)
		}
	}
	return fs.Mount(attr)
}
