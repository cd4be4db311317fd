package idmap

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Rootfs is what is to be mounted as a container's root file system.
type Rootfs struct {
	// Mounts is what containerd gives; exactly one. A plain directory is
	// {Type: "bind", Source: dir, Options: {"rbind"}}.
	Mounts []Mount
	// Target is the directory to mount on, absolute, in the caller's mount
	// namespace.
	Target string
	// Judged are the directories that [Mount.Layers] names, opened and judged
	// by the caller, whose they stay. No others are mounted (ErrNotJudged).
	// Nil: nobody judges, and they are opened here.
	Judged map[string]*Source
	// Adopt allows for a caller that has brought the range and mapped the
	// files itself: layers that belong to the range's base on disk are
	// mounted as they are.
	Adopt bool
}

// rootfsMount is the one mount of a Rootfs, parsed.
type rootfsMount struct {
	Rootfs
	fstype, source string
	options
}

// strategy is one way to mount a root file system.
type strategy struct {
	name string
	// applies tells whether the strategy is the one for m.
	applies func(s *Stage, m rootfsMount) (bool, error)
	// mount mounts it and gives an O_PATH descriptor of the root.
	mount func(s *Stage, m rootfsMount) (*os.File, error)
}

// strategies are tried in order; the first that applies is used.
var strategies = []strategy{
	{"adopted", adoptedApplies, mountAdopted},
	{"overlay", isOverlay, mountOverlay},
	{"directory", isBind, mountDirectory},
}

// Rootfs mounts a container's root file system, ID-mapped, and gives an O_PATH
// descriptor of its root and the name of the strategy that was used: "adopted"
// (the caller has mapped it already), "overlay" or "directory".
//
// ErrMountOption: an option is malformed or cannot be carried out.
// [*UnsupportedError]: it cannot be ID-mapped. ErrNotJudged: see [Rootfs].
func (s *Stage) Rootfs(r Rootfs) (root *os.File, strategy string, err error) {
	m, err := r.parse()
	if err != nil {
		return nil, "", err
	}
	for _, st := range strategies {
		ok, err := st.applies(s, m)
		if err != nil {
			return nil, "", err
		}
		if ok {
			root, err := st.mount(s, m)
			if err != nil {
				return nil, "", fmt.Errorf("mount root file system (%s): %w", st.name, err)
			}
			return root, st.name, nil
		}
	}
	return nil, "", &UnsupportedError{FSType: m.fstype, Path: m.source, Reason: "only overlay and bind root file systems are"}
}

func (r Rootfs) parse() (rootfsMount, error) {
	if len(r.Mounts) != 1 {
		return rootfsMount{}, fmt.Errorf("%w: root file system consists of %d mounts, not of one", ErrMountOption, len(r.Mounts))
	}
	m := r.Mounts[0]
	o, err := parseOptions(m.Options)
	if err != nil {
		return rootfsMount{}, err
	}
	if m.Type != "bind" && o.ms&(unix.MS_BIND|unix.MS_REC) != 0 {
		// mount(2) would make it a bind of the source, whatever the type.
		return rootfsMount{}, fmt.Errorf("%w: root file system of type %q with bind or rbind", ErrMountOption, m.Type)
	}
	return rootfsMount{Rootfs: r, fstype: m.Type, source: m.Source, options: o}, nil
}

func isOverlay(_ *Stage, m rootfsMount) (bool, error) { return m.fstype == "overlay", nil }

func isBind(_ *Stage, m rootfsMount) (bool, error) { return m.fstype == "bind", nil }

// mountDirectory clones a directory, ID-mapped, with the mounts below it if it
// is an rbind.
func mountDirectory(s *Stage, m rootfsMount) (*os.File, error) { return attachDirectory(s, m, false) }

func attachDirectory(s *Stage, m rootfsMount, unmapped bool) (*os.File, error) {
	var tree *os.File
	err := s.OnHost(func() error {
		src, err := m.open(m.source)
		if err != nil {
			return err
		}
		defer src.Close()
		if !src.Stat.IsDir() {
			return &os.PathError{Op: "mount", Path: m.source, Err: unix.ENOTDIR}
		}
		tree, err = s.Volume(src, VolumeAttr{
			Recursive: m.recursive(), Set: m.set, Unmapped: unmapped,
			// What the mount of the host forbids, no option allows.
			Clear: m.clear & unix.MOUNT_ATTR__ATIME,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := linux.MoveMountTo(tree, nil, m.Target); err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	return tree, nil
}

// adoptedApplies: the client says how it wants the files mapped, or they
// belong to the container's root already.
func adoptedApplies(s *Stage, m rootfsMount) (bool, error) {
	if m.uidmap != "" || m.gidmap != "" {
		if !m.Adopt {
			return false, fmt.Errorf("%w: uidmap=%s, gidmap=%s without a mapping of the caller's", ErrMountOption, m.uidmap, m.gidmap)
		}
		want := fmt.Sprintf("0:%d:%d", s.Range.Base, s.Range.Size)
		if m.uidmap != want || m.gidmap != want {
			return false, fmt.Errorf("%w: uidmap=%s, gidmap=%s instead of %s", ErrMountOption, m.uidmap, m.gidmap, want)
		}
		return true, nil
	}
	if !m.Adopt {
		return false, nil
	}
	dir := m.source
	if m.fstype == "overlay" {
		o, err := parseOverlay(m.data)
		if err != nil {
			return false, err
		}
		// The upper layer if there is one, else the uppermost lower one.
		dirs := o.dirs()
		dir = dirs[0]
		if o.upper != "" {
			dir = o.upper
		}
	}
	var owned bool
	err := s.OnHost(func() error {
		src, err := m.open(dir)
		if err != nil {
			return err
		}
		owned = src.Stat.UID == s.Range.Base && src.Stat.GID == s.Range.Base
		return src.Close()
	})
	return owned, err
}

// mountAdopted mounts what the client has mapped as containerd would: with
// uidmap= the lower layers (or the directory) are ID-mapped, the upper layer,
// which the client has chowned, is not; without, nothing is.
func mountAdopted(s *Stage, m rootfsMount) (*os.File, error) {
	mapped := m.uidmap != ""
	switch {
	case m.fstype == "overlay":
		return s.overlay(m, overlayMapping{lowers: mapped})
	case m.fstype == "bind" || m.ms&unix.MS_BIND != 0:
		return attachDirectory(s, m, !mapped)
	}
	return nil, &UnsupportedError{FSType: m.fstype, Path: strings.TrimSpace(m.source), Reason: "only overlay and bind root file systems are"}
}
