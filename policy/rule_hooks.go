package policy

import (
	"fmt"
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkHooks looks at the programs that runc runs at the turns of a container's life,
// most of them as root of the host.
func checkHooks(r *request, d *Decision) *Violation {
	if r.spec.Hooks == nil {
		return nil
	}
	allowed := make([]pattern, len(r.cfg.Hooks.Allow))
	for i, p := range r.cfg.Hooks.Allow {
		allowed[i] = newPattern(p)
	}
	for _, list := range hookLists(r.spec.Hooks) {
		for i, hook := range list.hooks {
			v := r.badHook(fmt.Sprintf("hooks.%s[%d].path", list.name, i), hook.Path, allowed)
			if v != nil && !r.tolerates(v, d) {
				return v
			}
		}
	}
	return nil
}

func (r *request) badHook(field, program string, allowed []pattern) *Violation {
	switch {
	case !path.IsAbs(program) || hasNull(program):
		return malformed(field, "the program %q of a hook is not an absolute path", program)
	case r.cfg.Hooks.Allow == nil:
		return nil
	case path.Clean(program) != program:
		return denied(field, "the program %q can be compared with hooks.allow only where its path has no detours", program)
	}
	parts := components(program)
	if !slices.ContainsFunc(allowed, func(p pattern) bool { return len(p.parts) == len(parts) && p.covers(parts) }) {
		return denied(field, "hooks.allow does not have the program %q", program)
	}
	return nil
}

// hookLists are all hooks of a spec.
func hookLists(h *specs.Hooks) []hookList {
	return []hookList{
		{"prestart", h.Prestart}, //lint:ignore SA1019 runc still runs them
		{"createRuntime", h.CreateRuntime},
		{"createContainer", h.CreateContainer},
		{"startContainer", h.StartContainer},
		{"poststart", h.Poststart},
		{"poststop", h.Poststop},
	}
}

type hookList struct {
	name  string
	hooks []specs.Hook
}
