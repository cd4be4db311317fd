package idmap

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Source is a file or directory of the host that was opened once. Whoever
// judges it judges what will be mounted, whatever happens to its path.
type Source struct {
	// File is an O_PATH descriptor.
	File *os.File
	// Path is what was asked for; it is only for messages.
	Path string
	// Stat is what was opened.
	Stat linux.Stat
}

// OpenSource opens path, following symbolic links. root is a directory in the
// host's mount namespace that is the root of path and of absolute links; magic
// links (proc(5)) are then refused. Nil stands for the root of the calling
// thread.
func OpenSource(root *os.File, path string) (*Source, error) {
	var f *os.File
	var err error
	if root == nil {
		f, err = linux.OpenPath(path)
	} else {
		f, err = linux.OpenInRoot(root, path, unix.O_PATH)
	}
	if err != nil {
		return nil, err
	}
	st, err := linux.StatFile(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Source{File: f, Path: path, Stat: st}, nil
}

// Close closes the descriptor. Clones stay.
func (s *Source) Close() error { return s.File.Close() }

// FSType names the file system that the source lies on, "ext4"; "0x…" if it is
// not a known one.
func (s *Source) FSType() (string, error) {
	magic, err := linux.FSMagic(s.File)
	if err != nil {
		return "", err
	}
	return fsName(magic), nil
}

// VolumeAttr says how a source is mounted. The zero value: ID-mapped, without
// the mounts below it, private, with the flags that it has on the host.
type VolumeAttr struct {
	// Recursive takes the mounts below the source along (rbind). All of
	// them are ID-mapped, and Set and Clear change all of them.
	Recursive bool
	// Set and Clear are MOUNT_ATTR_* bits (mount_setattr(2)).
	Set, Clear uint64
	// Propagation is MS_PRIVATE, MS_SLAVE or MS_SHARED, which stays in the
	// peer group of the source. 0 is MS_PRIVATE.
	Propagation uint64
	// Unmapped leaves the owners as they are on disk.
	Unmapped bool
}

// Volume clones a source, ID-mapped. The result is a detached mount, to be
// given to [Attach]; it is gone if it is closed before.
//
// [*UnsupportedError]: the source, or with Recursive a mount below it, cannot
// be ID-mapped; Path is where that one is.
func (s *Stage) Volume(src *Source, a VolumeAttr) (tree *os.File, err error) {
	err = s.OnHost(func() error {
		tree, err = linux.OpenTree(src.File, "", a.Recursive)
		if err != nil {
			return fmt.Errorf("clone %s: %w", src.Path, err)
		}
		err = linux.SetAttr(tree, s.attr(a))
		if err == nil {
			return nil
		}
		tree.Close()
		if !a.Unmapped && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM)) {
			return s.explain(src, a, err)
		}
		return fmt.Errorf("set attributes of %s: %w", src.Path, err)
	})
	if err != nil {
		return nil, err
	}
	return tree, nil
}

func (s *Stage) attr(a VolumeAttr) linux.Attr {
	out := linux.Attr{
		Set: a.Set, Clear: a.Clear, Propagation: a.Propagation, Recursive: a.Recursive,
	}
	switch a.Propagation {
	case 0:
		out.Propagation = unix.MS_PRIVATE
	case unix.MS_SHARED:
		out.Propagation = 0 // it is what the source is
	}
	if !a.Unmapped {
		out.UserNS = s.UserNS
	}
	return out
}

// Attach mounts a detached tree on target, an O_PATH descriptor in the caller's
// mount namespace, as [Stage.MountPoint] gives it. A directory goes on a
// directory, anything else on a file (ENOTDIR otherwise).
func Attach(tree, target *os.File) error { return linux.MoveMount(tree, target) }
