package idmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// upperLayer is the writable layer of the overlay that is a stage's root file system.
type upperLayer struct {
	rootfsMount
	path   string // of the layer, on the host
	lowers []lowerLayer
	mapped bool   // it is ID-mapped
	prefix string // of overlayfs' extended attributes: "trusted." or "user."
}

func newUpperLayer(m rootfsMount, o overlayLayers, mapping overlayMapping) *upperLayer {
	if o.upper == "" {
		return nil
	}
	u := &upperLayer{rootfsMount: m, path: o.upper, lowers: o.lowers, mapped: mapping.upper, prefix: "trusted."}
	if slices.Contains(o.data, "userxattr") {
		u.prefix = "user."
	}
	return u
}

// Writable tells whether the root file system that was mounted on this stage is an overlay
// with a writable layer, so that [Stage.Expose] can do something.
func (s *Stage) Writable() bool { return s.upper != nil }

// Expose mounts a directory of the writable layer over the same directory of the root file
// system, ID-mapped as that is. What is in it is then reached without overlayfs, which does
// not take an overlay as its upper layer. at and path are the directory as
// [Stage.MountPoint] gives it, with nothing mounted there yet.
//
// At first what lower layers show in the directory is brought into the upper one, by
// overlayfs itself, and then the directory is marked: it is never looked through again. If
// this fails half way, the root file system shows what it showed before.
//
// It gives false, and does nothing, if something is mounted at path or above.
func (s *Stage) Expose(ctx context.Context, root, at *os.File, path string) (bool, error) {
	same, err := onMount(root, at)
	if err != nil || !same {
		return false, err
	}
	var tree *os.File
	err = s.OnHost(func() error {
		dir, err := s.settled(ctx, at, path)
		if err != nil {
			return err
		}
		defer dir.Close()
		u := s.upper
		tree, err = s.Volume(&Source{File: dir, Path: path}, VolumeAttr{
			// Overlays that the container mounts show no device either.
			Set: u.set | unix.MOUNT_ATTR_NODEV, Clear: u.clear & unix.MOUNT_ATTR__ATIME, Unmapped: !u.mapped,
		})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("expose %s: %w", path, err)
	}
	defer tree.Close()
	return true, Attach(tree, at)
}

// onMount tells whether at lies on the mount that root is on, and is not its root.
func onMount(root, at *os.File) (bool, error) {
	a, err := linux.StatFile(root)
	if err != nil {
		return false, err
	}
	b, err := linux.StatFile(at)
	return err == nil && a.MountID == b.MountID && !b.MountRoot, err
}

// settled opens the directory in the upper layer, as it is on the host, with everything in it
// that the overlay shows there. It is called on the host.
func (s *Stage) settled(ctx context.Context, at *os.File, path string) (*os.File, error) {
	u := s.upper
	dir, err := s.openUpper(path)
	if err == nil {
		done, err := linux.HasXattr(dir, u.prefix+settledXattr)
		if done && err == nil {
			return dir, nil
		}
		dir.Close()
		if err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := s.copyUp(ctx, at, path); err != nil {
		return nil, err
	}
	if dir, err = s.openUpper(path); err != nil {
		return nil, err
	}
	for _, mark := range []string{opaqueXattr, settledXattr} {
		if err := linux.SetXattr(dir, u.prefix+mark, "y"); err != nil {
			dir.Close()
			return nil, err
		}
	}
	return dir, nil
}

const (
	// opaqueXattr keeps overlayfs from looking into lower layers
	// (Documentation/filesystems/overlayfs.rst, "Whiteouts and opaque directories").
	opaqueXattr = "overlay.opaque"
	// settledXattr says that nothing of the directory is in lower layers only. Overlayfs
	// calls directories opaque into which it then renames what is.
	settledXattr = "eci.settled"
)

// openUpper opens a directory of the upper layer.
func (s *Stage) openUpper(path string) (*os.File, error) {
	upper, err := s.upper.open(s.upper.path)
	if err != nil {
		return nil, err
	}
	defer upper.Close()
	return openBelow(upper.File, path)
}
