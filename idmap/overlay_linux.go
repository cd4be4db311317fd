package idmap

import (
	"errors"
	"fmt"
	"os"

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
	s.upper = newUpperLayer(m, o, mapping)
	var l clonedLayers
	defer func() {
		_ = unix.Chdir("/") // not to hold the layers by the working directory
		for _, t := range l.trees {
			s.spend(t)
		}
	}()
	err = s.OnHost(func() (err error) {
		l, err = s.cloneLayers(m, o, mapping)
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
		do := func() error {
			err := linux.Mount(m.source, target, "overlay", m.ms, data)
			if errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("%w (the kernel's log says why)", err)
			}
			return err
		}
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
