package idmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

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
func (s *Stage) cloneLayers(m rootfsMount, o overlayLayers, mapping overlayMapping) (clonedLayers, error) {
	if mapping.lowers == mapping.upper || o.upper == "" {
		l, err := s.cloneShared(m, o.dirs(), mapping.lowers)
		if err != nil || l.shared {
			return l, err
		}
	}
	var l clonedLayers
	for i, layer := range o.lowers {
		dir, err := m.open(layer.path)
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
	dir, err := OpenSource(nil, commonDir([]string{o.upper, o.work}))
	if err != nil {
		return l, err
	}
	for _, sub := range []string{o.upper, o.work} {
		rel, err := m.locate(dir.File, sub)
		if err != nil {
			dir.Close()
			return l, fmt.Errorf("upperdir and workdir must be reached through one mount, without links: %w", err)
		}
		l.names = append(l.names, strconv.Itoa(len(o.lowers))+"/"+rel)
	}
	err = l.add(s, dir, mapping.upper)
	return l, err
}

// add clones the mount of dir, without those below, and closes dir.
func (l *clonedLayers) add(s *Stage, dir *Source, mapped bool) error {
	defer dir.Close()
	tree, err := s.Volume(dir, VolumeAttr{
		Unmapped: !mapped,
		// Overlayfs looks up the names below the clone by itself, following
		// links, which somebody may have put there since they were checked.
		Set: unix.MOUNT_ATTR_NOSYMFOLLOW,
	})
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
func (s *Stage) cloneShared(m rootfsMount, dirs []string, mapped bool) (clonedLayers, error) {
	common := commonDir(dirs)
	for _, dir := range dirs {
		rel, err := filepath.Rel(common, dir)
		if err != nil || len(rel) > maxName || strings.ContainsAny(rel, `\:,`) {
			return clonedLayers{}, nil
		}
	}
	base, err := OpenSource(nil, common)
	if err != nil {
		return clonedLayers{}, err
	}
	l := clonedLayers{shared: true}
	for _, dir := range dirs {
		name, err := m.locate(base.File, dir)
		if err == nil {
			l.names = append(l.names, name)
			continue
		}
		base.Close()
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EXDEV) || errors.Is(err, ErrNotJudged) {
			err = nil // they must be cloned one by one
		}
		return clonedLayers{}, err
	}
	err = l.add(s, base, mapped)
	return l, err
}
