package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkHooks looks at the programs that runc runs at the turns of a container's life,
// most of them as root of the host.
func checkHooks(r *request, d *Decision) *Violation {
	if r.spec.Hooks == nil {
		return nil
	}
	d.BareHooks = r.cfg.Hooks.Allow != nil
	allowed := make([]hookPattern, len(r.cfg.Hooks.Allow))
	for i, entry := range r.cfg.Hooks.Allow {
		allowed[i] = newHookPattern(entry)
	}
	for _, list := range hookLists(r.spec.Hooks) {
		for i, hook := range list.hooks {
			v := r.badHook(fmt.Sprintf("hooks.%s[%d].path", list.name, i), hook, allowed)
			if v != nil && !r.tolerates(v, d) {
				return v
			}
		}
	}
	return nil
}

func (r *request) badHook(field string, hook specs.Hook, allowed []hookPattern) *Violation {
	switch {
	case !path.IsAbs(hook.Path) || hasNull(hook.Path):
		return malformed(field, "the program %q of a hook is not an absolute path", hook.Path)
	case r.cfg.Hooks.Allow == nil:
		return nil
	case path.Clean(hook.Path) != hook.Path:
		return denied(field, "the program %q can be compared with hooks.allow only where its path has no detours", hook.Path)
	}
	program := false
	for _, a := range allowed {
		if !a.isProgram(hook.Path) {
			continue
		}
		if program = true; a.hasArgs(hook.Args) {
			return nil
		}
	}
	if program {
		return denied(field, "hooks.allow does not have the program %q with these arguments", hook.Path)
	}
	return denied(field, "hooks.allow does not have the program %q", hook.Path)
}

// hookPattern is an entry of hooks.allow: a program, and the arguments that it begins with.
type hookPattern struct {
	pattern
	args []string
}

func newHookPattern(entry string) hookPattern {
	words := strings.Split(entry, " ")
	return hookPattern{newPattern(words[0]), words[1:]}
}

func (h hookPattern) isProgram(program string) bool {
	parts := components(program)
	return len(h.parts) == len(parts) && h.covers(parts)
}

// hasArgs looks behind the first one, which is a name.
func (h hookPattern) hasArgs(args []string) bool {
	return len(h.args) == 0 || len(args) > len(h.args) && slices.Equal(args[1:1+len(h.args)], h.args)
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
