package policy

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hookPath is the environment of a hook that has none, or none of its own choice.
const hookPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// rewriteHooks gives an environment to the programs of the host.
//
// Where the policy lists them it is always the same one: LD_PRELOAD and its like make any
// program another one, and the client writes it. Elsewhere only those that run in the
// container's namespaces get it, if they have none: before 1.3, runc lets these inherit that
// of the container, which the image writes (CVE-2025-23266).
func rewriteHooks(spec *specs.Spec, r *rewrite) {
	if spec.Hooks == nil {
		return
	}
	hooks := *spec.Hooks
	hooks.CreateContainer = withPath(hooks.CreateContainer, r.decision.BareHooks)
	if r.decision.BareHooks {
		hooks.Prestart = withPath(hooks.Prestart, true) //lint:ignore SA1019 runc still runs them
		hooks.CreateRuntime = withPath(hooks.CreateRuntime, true)
		hooks.StartContainer = withPath(hooks.StartContainer, true)
		hooks.Poststart = withPath(hooks.Poststart, true)
		hooks.Poststop = withPath(hooks.Poststop, true)
	}
	spec.Hooks = &hooks
}

// withPath are hooks with hookPath as their environment: all of them, or those that have none.
func withPath(hooks []specs.Hook, all bool) []specs.Hook {
	hooks = slices.Clone(hooks)
	for i := range hooks {
		if all || len(hooks[i].Env) == 0 {
			hooks[i].Env = []string{hookPath}
		}
	}
	return hooks
}
