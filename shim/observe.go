package shim

import (
	"context"
	"slices"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/policy"
)

// read finds out what is wished for: by the spec, and by whoever chose a file of the
// policy for it. What comes out is the policy for this container.
func read(cfg policy.Config, host *hostView, r *taskapi.CreateTaskRequest) (policy.Config, *specs.Spec, error) {
	if err := checkStdio(r.Stdin, r.Stdout, r.Stderr); err != nil {
		return cfg, nil, err
	}
	cfg, err := host.config().Choose(cfg, chosenConfig(r.Options))
	if err != nil {
		return cfg, nil, err
	}
	spec, err := loadSpec(r.Bundle)
	if err != nil {
		return cfg, nil, err
	}
	if err := policy.CheckStructure(spec); err != nil {
		return cfg, nil, err
	}
	if spec.Linux.CgroupsPath == "" {
		opts, err := runcOptions(r.Options)
		if err != nil {
			return cfg, nil, err
		}
		spec.Linux.CgroupsPath = ownCgroup(r.Bundle, opts.GetSystemdCgroup())
	}
	cfg, err = policy.Tighten(cfg, spec.Annotations)
	return cfg, spec, err
}

// observe finds out what the spec asks for on this host.
func (c *container) observe(ctx context.Context, spec *specs.Spec, r *taskapi.CreateTaskRequest) (_ policy.Facts, _ *host.Opened, err error) {
	engine := host.EngineOf(c.bundle, c.host.containerd)
	c.cfg = engine.In(c.cfg)
	joined, err := c.openNamespaces(ctx, spec) // first: it may have to wait
	if err != nil {
		return policy.Facts{}, nil, err
	}
	facts, observed, err := host.Observe(c.host.View, c.cfg, host.Request{
		Bundle: c.bundle, Spec: spec, Rootfs: rootMounts(r.Rootfs), Own: engine.Own(),
	})
	if err != nil {
		return facts, nil, err
	}
	defer func() {
		if err != nil {
			observed.Close()
		}
	}()
	if facts.CgroupTaken, err = cgroupTaken(spec); err != nil {
		return facts, nil, err
	}
	facts.Namespaces = joined
	can := runcCan(c.cfg.StateDir)
	facts.Agent = slices.Contains(can, featureSeccomp)
	facts.WaitKillable = slices.Contains(can, string(specs.LinuxSeccompFlagWaitKillableRecv))
	if policy.AsksForEngine(c.cfg, facts, spec) {
		facts.Image = findImage(ctx, c.host, imageQuery(c.cfg, spec, r))
	}
	return facts, observed, nil
}

// rootMounts are the mounts of a request.
func rootMounts(rootfs []*types.Mount) []idmap.Mount {
	mounts := make([]idmap.Mount, len(rootfs))
	for i, m := range rootfs {
		mounts[i] = idmap.Mount{Type: m.Type, Source: m.Source, Options: m.Options}
	}
	return mounts
}
