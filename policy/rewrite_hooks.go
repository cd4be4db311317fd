package policy

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hookPath is the environment of a hook that has none.
const hookPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// rewriteHooks gives an environment to the programs of the host that run in the
// container's namespaces. Before 1.3, runc lets one without inherit that of the
// container, which the image writes: with LD_PRELOAD in it, the image's code runs in the
// hook's place (CVE-2025-23266).
func rewriteHooks(spec *specs.Spec, _ *rewrite) {
	if spec.Hooks == nil {
		return
	}
	hooks := *spec.Hooks
	hooks.CreateContainer = slices.Clone(hooks.CreateContainer)
	for i := range hooks.CreateContainer {
		if len(hooks.CreateContainer[i].Env) == 0 {
			hooks.CreateContainer[i].Env = []string{hookPath}
		}
	}
	spec.Hooks = &hooks
}
