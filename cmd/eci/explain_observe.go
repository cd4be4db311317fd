package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/opencontainers/image-spec/identity"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/internal/engine"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/image"
	"github.com/eci-runtime/eci/policy"
)

// observation is what the host was found to be.
type observation struct {
	cfg        policy.Config // for this container
	facts      policy.Facts
	view       *host.View
	opened     *host.Opened
	namespaces *host.Namespaces
}

func (o *observation) close() {
	o.opened.Close()
	o.namespaces.Close()
	o.view.Close()
}

// observe looks at the host as the runtime does before it decides.
func (a *app) observe(ctx context.Context, cfg policy.Config, s *subject, imageName string) (*observation, error) {
	// Annotations make it stricter. One that is wrong is refused by its rule.
	if tightened, err := policy.Tighten(cfg, s.spec.Annotations); err == nil {
		cfg = tightened
	}
	e := s.engine()
	cfg = e.In(cfg)
	view, err := host.Here()
	if err != nil {
		return nil, err
	}
	o := &observation{cfg: cfg, view: view}
	o.facts, o.opened, err = host.Observe(view, cfg, host.Request{
		Bundle: s.bundle, Spec: s.spec, Rootfs: s.rootfs, Own: e.Own(),
	})
	if err != nil {
		view.Close()
		return nil, err
	}
	o.facts.Agent = true // as runc has seccomp, which eci check looks at
	if s.spec.Linux != nil {
		o.facts.Namespaces, o.namespaces, err = host.OpenNamespaces(ctx, host.Joining{View: view, Claims: host.Pool(cfg), Namespaces: s.spec.Linux.Namespaces})
		if err != nil {
			o.close()
			return nil, err
		}
	}
	if o.facts.Image, err = a.imageOf(ctx, cfg, s, imageName); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// imageOf is what the container is, or would be, made from.
func (a *app) imageOf(ctx context.Context, cfg policy.Config, s *subject, name string) (policy.Image, error) {
	ctx, cancel := timed(ctx)
	defer cancel()
	switch {
	case name != "":
		return a.lookUp(ctx, name)
	case s.query == nil:
		return policy.Image{Why: "a file does not say which image it is for: name it with --image"}, nil
	}
	q := *s.query
	q.DockerRoots = image.DockerRoots(cfg)
	if s.spec.Root != nil {
		q.Root = host.DirRoot(s.spec.Root.Path, s.bundle).Source
	}
	store, err := engine.DialContainerd(q.Address, q.Namespace)
	if err != nil {
		return policy.Image{}, err
	}
	defer store.Close()
	found := image.Identify(ctx, q, store)
	if full, err := engine.FullName(found.Name); err == nil {
		found.Name = full
	}
	return found, nil
}

// lookUp gives the layers of an image in containerd.
func (a *app) lookUp(ctx context.Context, name string) (policy.Image, error) {
	full, err := engine.FullName(name)
	if err != nil {
		return policy.Image{}, err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return policy.Image{}, err
	}
	defer c.Close()
	ns := a.namespace
	if ns == "" {
		ns = namespaces.Default
	}
	ctx = namespaces.WithNamespace(ctx, ns)
	found, err := c.GetImage(ctx, full)
	if err != nil {
		return policy.Image{}, fmt.Errorf("look up the image in containerd's namespace %s: %w", ns, err)
	}
	layers, err := found.RootFS(ctx)
	if err != nil {
		return policy.Image{}, fmt.Errorf("read the layers of %s: %w", full, err)
	}
	out := policy.Image{Name: full}
	for _, id := range identity.ChainIDs(layers) {
		out.Chain = append(out.Chain, id.String())
	}
	slices.Reverse(out.Chain)
	return out, nil
}

// preview is the spec that runc would get, with a grant as it could be.
func preview(o *observation, s *subject, d policy.Decision) (*specs.Spec, error) {
	stage := filepath.Join(o.cfg.StateDir, "stage", filepath.Base(s.bundle))
	g := policy.Grant{
		Base: nextRange(o.cfg, s.bundle), Size: d.Size,
		Root: stage + "/rootfs", Dev: stage + "/dev",
		Volumes: map[int]string{}, Namespaces: map[int]string{},
		UserNS: o.namespaces.UserNS(d.UserNS),
	}
	switch {
	case d.Join != nil:
		g.Base = d.Join.Mapping.HostID
	case d.Mapping != nil:
		g.Base = d.Mapping.HostID
	}
	for _, i := range d.Joins {
		g.Namespaces[i] = o.namespaces.Path(i)
	}
	if len(d.Intercepts) > 0 {
		g.Listener = filepath.Join(o.cfg.StateDir, "stage", ".1")
	}
	spec, err := copySpec(s.spec)
	if err != nil {
		return nil, err
	}
	places := policy.Place(d, spec.Mounts, nil)
	for i, p := range places {
		if p == policy.Cloned {
			g.Volumes[i] = stage + "/vol/" + strconv.Itoa(i)
		}
	}
	if err := policy.Rewrite(spec, d, places, g, o.facts); err != nil {
		return nil, err
	}
	return spec, nil
}

func copySpec(s *specs.Spec) (*specs.Spec, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	out := new(specs.Spec)
	return out, json.Unmarshal(text, out)
}

// nextRange is the first host ID that a container has, or could get.
func nextRange(cfg policy.Config, bundle string) uint32 {
	p := host.Pool(cfg)
	claims, _ := p.Claims()
	for _, c := range claims {
		if c.Owner == bundle {
			return c.Base
		}
	}
	next, err := p.Next()
	if err != nil {
		return p.First
	}
	return next.Base
}
