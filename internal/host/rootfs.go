package host

import (
	"fmt"
	"path/filepath"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/policy"
)

// layer is a directory of the root file system.
type layer struct {
	*idmap.Source
	recursive bool
	unknown   policy.Source // if it could not be opened
}

// openLayers opens what the root file system is made of. What is not there is left
// out: it cannot be mounted either.
func (o *observer) openLayers(r Request) ([]layer, error) {
	mounts := r.Rootfs
	if len(mounts) == 0 && r.Spec.Root != nil {
		mounts = []idmap.Mount{DirRoot(r.Spec.Root.Path, r.Bundle)}
	}
	var layers []layer
	for _, m := range mounts {
		dirs, err := m.Layers()
		if err != nil {
			return nil, fmt.Errorf("rootfs: %w", err)
		}
		for _, dir := range dirs {
			if !filepath.IsAbs(dir) || o.opened.Layers[dir] != nil {
				continue
			}
			source, unknown := o.open(dir)
			if source != nil {
				o.opened.Layers[dir] = source
			} else if unknown.Why == "" {
				continue
			}
			unknown.Path = dir
			layers = append(layers, layer{source, m.Type == "bind", unknown})
		}
	}
	return layers, nil
}

// DirRoot is the mount of a directory as a root file system, where a spec names one
// and the engine mounts nothing.
func DirRoot(path, bundle string) idmap.Mount {
	if !filepath.IsAbs(path) {
		path = filepath.Join(bundle, path)
	}
	return idmap.Mount{Type: "bind", Source: path, Options: []string{"rbind"}}
}

// describeLayers says what they are.
func (o *observer) describeLayers(layers []layer, r Request) ([]policy.Source, error) {
	place := filepath.Join(r.Bundle, "rootfs")
	var out []policy.Source
	for _, l := range layers {
		if l.Source == nil {
			out = append(out, l.unknown)
			continue
		}
		if l.Path == place && !l.Stat.MountRoot {
			continue // the empty directory that the engine has made for one
		}
		d, err := o.describe(l.Source, l.recursive, readily)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", l.Path, err)
		}
		d.Own = reaches(d, o.own, place)
		out = append(out, d)
	}
	return out, nil
}

// parent is the directory n levels above a path.
func parent(path string, n int) string {
	for range n {
		path = filepath.Dir(path)
	}
	return path
}
