package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// Request is a container to be.
type Request struct {
	// Bundle is its bundle, absolute and clean.
	Bundle string

	// Spec is its OCI spec, whatever that holds.
	Spec *specs.Spec

	// Rootfs is what its root file system is mounted from; empty where the spec
	// names a directory.
	Rootfs []idmap.Mount

	// Own are directories of the engine that no source may be or hold, beside those
	// of the runtime.
	Own []string
}

// Opened is what was opened, and judged, and is to be mounted.
type Opened struct {
	// Sources are those of the bind mounts, by index into the mounts of the spec.
	Sources map[int]*idmap.Source

	// Layers are the directories of the root file system, by the names that
	// [idmap.Mount.Layers] gives them.
	Layers map[string]*idmap.Source

	view  *View
	seen  uint64                          // the state of the mount table that was judged
	parts map[*idmap.Source]map[part]bool // what was mounted below what is mounted recursively
}

// Close closes them.
func (o *Opened) Close() {
	for _, s := range o.Sources {
		s.File.Close()
	}
	for _, s := range o.Layers {
		s.File.Close()
	}
}

// observer makes one observation.
type observer struct {
	view   *View
	table  *table
	names  *resolver
	opened *Opened
	own    []ownDir
}

// Observe finds out what a container asks for. The facts are whole but for what only
// its engine knows: the namespaces that the spec names, its cgroup, its image.
func Observe(v *View, cfg policy.Config, r Request) (policy.Facts, *Opened, error) {
	facts, err := kernelFacts()
	if err != nil {
		return facts, nil, err
	}
	opened := &Opened{
		Sources: make(map[int]*idmap.Source), Layers: make(map[string]*idmap.Source),
		view: v, parts: make(map[*idmap.Source]map[part]bool),
	}
	o := &observer{view: v, names: newResolver(v.root), opened: opened}
	if err := o.observe(&facts, cfg, r); err != nil {
		opened.Close()
		return facts, nil, err
	}
	return facts, opened, nil
}

func (o *observer) observe(facts *policy.Facts, cfg policy.Config, r Request) error {
	facts.Bundle, facts.Sources = r.Bundle, make(map[int]policy.Source)
	layers, err := o.openLayers(r)
	if err != nil {
		return err
	}
	for i, m := range r.Spec.Mounts {
		if !policy.IsBind(m) || !filepath.IsAbs(m.Source) {
			continue
		}
		source, unknown := o.open(m.Source)
		if source != nil {
			o.opened.Sources[i] = source
		} else if unknown.Why != "" {
			facts.Sources[i] = unknown
		}
	}
	if len(layers)+len(o.opened.Sources) > 0 {
		// After everything was opened: what it was opened through is in the table.
		if o.table, err = o.view.table(); err != nil {
			return err
		}
		o.opened.seen = o.table.state
	}
	facts.Places = o.names.places(cfg)
	if err := o.describeAll(facts, cfg, r, layers); err != nil {
		return err
	}
	facts.Devices, err = devices(cfg, r.Spec, *facts)
	return err
}

// describeAll describes what was opened.
func (o *observer) describeAll(facts *policy.Facts, cfg policy.Config, r Request, layers []layer) (err error) {
	o.own = o.ownDirs(cfg, r)
	for i, source := range o.opened.Sources {
		recursive := policy.Recursive(r.Spec.Mounts[i])
		d, err := o.describe(source, recursive, steadily)
		if err != nil {
			return fmt.Errorf("look at %s: %w", source.Path, err)
		}
		d.Own = reaches(d, o.own, "")
		facts.Sources[i] = d
	}
	o.findLinks(cfg, facts.Sources)
	facts.Layers, err = o.describeLayers(layers, r)
	return err
}

// kernelFacts are the facts that no spec changes.
func kernelFacts() (facts policy.Facts, err error) {
	_, missing := os.Lstat("/proc/self/ns/time")
	facts.TimeNamespace = missing == nil
	facts.Platform, facts.CPUs = runtime.GOARCH, runtime.NumCPU()
	if facts.Boottime, err = linux.Boottime(); err != nil {
		return facts, err
	}
	facts.Monotonic, err = linux.Monotonic()
	return facts, err
}
