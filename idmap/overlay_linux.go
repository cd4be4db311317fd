package idmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// overlayMapping says which layers of an overlay are ID-mapped.
type overlayMapping struct{ lowers, upper bool }

// mountOverlay mounts an overlay with every layer ID-mapped, the upper one too.
func mountOverlay(s *Stage, m rootfsMount) (*os.File, error) {
	return s.overlay(m, overlayMapping{lowers: true, upper: true})
}

// overlay mounts an overlay on m.Target. The layers are clones made for it, so
// that neither their paths are needed when it is mounted nor shown in the
// container's mountinfo.
func (s *Stage) overlay(m rootfsMount, mapping overlayMapping) (*os.File, error) {
	o, err := parseOverlay(m.data)
	if err != nil {
		return nil, err
	}
	var l clonedLayers
	defer func() {
		for _, t := range l.trees {
			s.spend(t)
		}
	}()
	err = s.OnHost(func() (err error) {
		l, err = s.cloneLayers(o, mapping)
		return err
	})
	if err != nil {
		return nil, err
	}
	mount := func(target string) error {
		data := o.option(l.names)
		if len(data) >= os.Getpagesize() {
			return fmt.Errorf("%w: %d layers do not fit into a page of options", ErrMountOption, len(o.lowers))
		}
		do := func() error { return linux.Mount(m.source, target, "overlay", m.ms, data) }
		if !mapping.upper {
			return do()
		}
		// Overlayfs keeps the mounter's credentials and makes its work
		// directory with them: host root is not in the mapping.
		return s.AsRoot(do)
	}
	if l.shared && !s.attach && detachedLayers() {
		err := linux.ChangeDir(l.trees[0])
		if err == nil {
			err = mount(m.Target)
		}
		if err == nil {
			return linux.OpenPath(m.Target)
		}
		if !errors.Is(err, unix.EINVAL) {
			return nil, err
		}
	}
	return s.scaffold(m.Target, l, mount)
}

// clonedLayers are the layers of an overlay, cloned, detached.
type clonedLayers struct {
	// trees are the clones.
	trees []*os.File
	// names lead to the layers, in the order of overlayLayers.dirs: from
	// trees[0] if shared, else from a directory in which trees[i] is i.
	names []string
	// shared tells that there is one tree for all layers.
	shared bool
}

// maxName is the longest name, in bytes, that a layer may have to be shown in
// the container's mountinfo. It lets "<number>/fs" pass, and no host path.
const maxName = 24

// cloneLayers clones the layers in the host's mount namespace.
func (s *Stage) cloneLayers(o overlayLayers, mapping overlayMapping) (clonedLayers, error) {
	dirs := o.dirs()
	if mapping.lowers == mapping.upper || o.upper == "" {
		l, err := s.cloneShared(dirs, mapping.lowers)
		if err != nil || l.shared {
			return l, err
		}
	}
	var l clonedLayers
	for i, layer := range o.lowers {
		dir, err := openDir(layer.path)
		if err == nil {
			err = l.add(s, dir, mapping.lowers)
		}
		if err != nil {
			return l, err
		}
		l.names = append(l.names, strconv.Itoa(i))
	}
	if o.upper == "" {
		return l, nil
	}
	dir, err := openDir(commonDir([]string{o.upper, o.work}))
	if err != nil {
		return l, err
	}
	for _, sub := range []string{o.upper, o.work} {
		rel, _ := filepath.Rel(dir.Name(), sub)
		if err := linux.CheckBelow(dir, rel); err != nil {
			dir.Close()
			return l, fmt.Errorf("upperdir and workdir must be reached through one mount, without links: %w", err)
		}
		l.names = append(l.names, strconv.Itoa(len(o.lowers))+"/"+rel)
	}
	err = l.add(s, dir, mapping.upper)
	return l, err
}

// add clones the mount of dir, without those below, and closes dir.
func (l *clonedLayers) add(s *Stage, dir *os.File, mapped bool) error {
	defer dir.Close()
	tree, err := s.Volume(&Source{File: dir, Path: dir.Name()}, VolumeAttr{Unmapped: !mapped})
	if err != nil {
		return err
	}
	l.trees = append(l.trees, tree)
	return nil
}

func openDir(path string) (*os.File, error) {
	return linux.OpenAt(nil, path, unix.O_PATH|unix.O_DIRECTORY, 0)
}

// cloneShared clones the directory that all layers have in common, if they lie
// in one mount and their names below it are short. Otherwise the result is not
// shared.
func (s *Stage) cloneShared(dirs []string, mapped bool) (clonedLayers, error) {
	common := commonDir(dirs)
	l := clonedLayers{shared: true, names: make([]string, len(dirs))}
	for i, dir := range dirs {
		rel, err := filepath.Rel(common, dir)
		if err != nil || len(rel) > maxName || strings.ContainsAny(rel, `\:,`) {
			return clonedLayers{}, nil
		}
		l.names[i] = rel
	}
	base, err := openDir(common)
	if err != nil {
		return clonedLayers{}, err
	}
	for _, name := range l.names {
		err := linux.CheckBelow(base, name)
		if err == nil {
			continue
		}
		base.Close()
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EXDEV) {
			err = nil // they must be cloned one by one
		}
		return clonedLayers{}, err
	}
	err = l.add(s, base, mapped)
	return l, err
}

// scaffold mounts an overlay whose layers must be attached to be found: a tmpfs
// on target holds the clones while mount is called with a directory in it; then
// the overlay takes its place. The tmpfs is detached with all it holds by one
// system call.
func (s *Stage) scaffold(target string, l clonedLayers, mount func(target string) error) (*os.File, error) {
	base, err := openDir(target)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	tmp, err := newTmpfs(0, "mode", "700")
	if err != nil {
		return nil, err
	}
	defer tmp.Close()
	if err := linux.MoveMount(tmp, base); err != nil {
		return nil, err
	}
	root, err := s.onScaffold(target, tmp, l, mount)
	if derr := linux.Detach(target); derr != nil && err == nil {
		err = errors.Join(derr, root.Close())
	}
	if err != nil {
		return nil, err
	}
	if err := linux.MoveMount(root, base); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// onScaffold attaches the layers in tmp, which is mounted on target, mounts, and
// clones the mount.
func (s *Stage) onScaffold(target string, tmp *os.File, l clonedLayers, mount func(target string) error) (*os.File, error) {
	for i, tree := range l.trees {
		name := strconv.Itoa(i)
		if err := linux.Mkdir(tmp, name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := linux.MoveMountTo(tree, tmp, name); err != nil {
			return nil, err
		}
	}
	if err := linux.Mkdir(tmp, "m", 0o700); err != nil {
		return nil, err
	}
	cwd := tmp
	if l.shared {
		cwd = l.trees[0]
	}
	if err := linux.ChangeDir(cwd); err != nil {
		return nil, err
	}
	if err := mount(target + "/m"); err != nil {
		return nil, err
	}
	return linux.OpenTree(tmp, "m", false)
}
