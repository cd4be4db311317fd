package shim

import (
	"context"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"

	"github.com/eci-runtime/eci/policy"
)

// isolate prepares the container of a create request: it observes, decides,
// acquires and rewrites, so that what is left of the request can be handed to
// runc as it is. If it fails, nothing is left of it.
func isolate(ctx context.Context, host *hostView, r *taskapi.CreateTaskRequest) (_ *container, err error) {
	cfg, err := host.config().Load()
	if err != nil {
		return nil, err
	}
	log := newAuditor(ctx, cfg, host, r)
	defer func() { log.refused(ctx, err) }()

	cfg, spec, err := read(cfg, host, r)
	if err != nil {
		return nil, err
	}
	log.names(spec, policy.Image{})
	c, err := newContainer(ctx, cfg, host, log, r)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.release(ctx)
		}
	}()
	facts, volumes, err := c.observe(ctx, spec, r)
	if err != nil {
		return nil, err
	}
	defer volumes.Close()
	log.names(spec, facts.Image)

	decision, err := policy.Check(c.cfg, facts, spec)
	if err != nil {
		return nil, err
	}
	if err := c.claim(decision); err != nil {
		return nil, err
	}
	if c.cgroup, err = claimCgroup(spec.Linux.CgroupsPath); err != nil {
		return nil, err
	}
	go enterCgroupGracePeriod() // not earlier: it holds what claimCgroup needs
	places, grant, err := c.stage(ctx, spec, decision, volumes, r.Rootfs)
	if err != nil {
		return nil, err
	}
	if err := c.configureNetwork(spec, decision, grant); err != nil {
		return nil, err
	}
	if err := c.emulate(ctx, spec, decision, facts, &grant); err != nil {
		return nil, err
	}
	if err := policy.Rewrite(spec, decision, places, grant, facts); err != nil {
		return nil, err
	}
	fitOOMScore(ctx, spec.Process)
	if err := saveSpec(r.Bundle, spec); err != nil {
		return nil, err
	}
	if err := log.allowed(ctx, c.cfg, decision); err != nil {
		return nil, err
	}
	return c, c.delegate(r, spec)
}
