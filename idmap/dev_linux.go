package idmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
// ErrNotMapped: an owner is outside of the range.
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
	for _, n := range nodes {
		if err := s.makeNode(dev, n); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) makeNode(dev *os.File, n Node) error {
	if !fs.ValidPath(n.Path) || n.Path == "." {
		return fmt.Errorf("%w: device %q is not a path below /dev", ErrMountPoint, n.Path)
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
		return fmt.Errorf("%w: device %s is there twice", ErrMountPoint, n.Path)
	}
	if err != nil || n.UID == 0 && n.GID == 0 {
		return err
	}
	return linux.Chown(dev, n.Path, uid, gid)
}

// makeParents makes the directory dir below dev and those on the way. There
// are no symbolic links to directories in dev but ours.
func makeParents(dev *os.File, dir string) error {
	if dir == "." {
		return nil
	}
	for i, c := range dir + "/" {
		if c != '/' {
			continue
		}
		if err := linux.Mkdir(dev, dir[:i], 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
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
