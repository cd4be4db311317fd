package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/policy"
)

// lintMounts looks at what the files say about paths of the host.
func lintMounts(cfg policy.Config, files []conf.File) []remark {
	out := lintOverridden(files)
	standard := policy.Default().Mounts.Rules
	for _, r := range cfg.Mounts.Rules {
		if slices.Contains(standard, r) || r.Access == policy.Masked || r.Access == policy.Restricted {
			continue
		}
		i := slices.IndexFunc(standard, func(s policy.PathRule) bool { return s.Path == r.Path })
		switch {
		case i >= 0 && stricter(standard[i].Access, r.Access):
			out = append(out, remark{"mounts." + string(r.Access), fmt.Sprintf("%q is %s by default, and so is what lies below: this opens it", r.Path, standard[i].Access)})
		case i < 0 && r.Access == policy.Excepted && cfg.Mounts.Only == nil && !inside(cfg.Mounts.Rules, r.Path):
			out = append(out, remark{"mounts.except", fmt.Sprintf("%q lies in nothing that is restricted, so the exception changes nothing", r.Path)})
		}
	}
	for _, own := range ownPlaces(cfg, files) {
		if !covered(cfg.Mounts, own.path) {
			out = append(out, remark{own.key, fmt.Sprintf("%q lies in no restricted directory: a container could change it through a volume", own.path)})
		}
	}
	return out
}

// accesses are in the order in which the lists of one file count, the strictest last.
var accesses = []policy.Access{policy.Excepted, policy.Layers, policy.Readable, policy.Masked, policy.Restricted}

// stricter tells whether the first of two takes more away.
func stricter(a, b policy.Access) bool {
	return slices.Index(accesses, a) > slices.Index(accesses, b)
}

// lintOverridden finds paths about which files, or lists of one file, disagree.
func lintOverridden(files []conf.File) []remark {
	type word struct {
		access policy.Access
		file   string
	}
	said := map[string]word{}
	var out []remark
	for _, f := range files {
		for _, r := range pathsIn(f) {
			before, ok := said[r.Path]
			if ok && before.access != r.Access {
				out = append(out, remark{
					"mounts." + string(r.Access), fmt.Sprintf("%q is %s in %s, and %s in %s, which counts", r.Path, before.access, before.file, r.Access, f.Path),
				})
			}
			said[r.Path] = word{r.Access, f.Path}
		}
	}
	return out
}

// pathsIn are the rules of one file as they are written, in the order in which they
// count.
func pathsIn(f conf.File) []policy.PathRule {
	var lists struct {
		Mounts map[policy.Access]any
	}
	if f.Kind == conf.Pins || toml.Unmarshal(f.Data, &lists) != nil {
		return nil
	}
	var out []policy.PathRule
	for _, access := range accesses {
		paths, _ := lists.Mounts[access].([]any)
		for _, p := range paths {
			out = append(out, policy.PathRule{Path: fmt.Sprint(p), Access: access})
		}
	}
	return out
}

// own is a place whose content decides what containers may do.
type own struct{ key, path string }

// ownPlaces are those that a configuration can move away from where they are
// restricted by default. The state directory is known to the runtime itself.
func ownPlaces(cfg policy.Config, files []conf.File) []own {
	var out []own
	for _, f := range files {
		if filepath.IsAbs(f.Path) {
			out = append(out, own{"file", f.Path})
		}
	}
	for _, p := range cfg.Policies {
		out = append(out, own{"policies", p})
	}
	if cfg.Audit.File != "" {
		out = append(out, own{"audit.file", cfg.Audit.File})
	}
	return out
}

// covered tells whether the most specific rule for a path restricts it.
func covered(m policy.Mounts, path string) bool {
	depth, access := -1, policy.Access("")
	for _, r := range m.Rules {
		if n := strings.Count(r.Path, "/"); n >= depth && holds(r.Path, path) {
			depth, access = n, r.Access
		}
	}
	if access == "" {
		return m.Only != nil && !slices.ContainsFunc(m.Only, func(p string) bool { return holds(p, path) })
	}
	return access != policy.Excepted
}

// inside tells whether a pattern lies in a restricted directory.
func inside(rules []policy.PathRule, pattern string) bool {
	return slices.ContainsFunc(rules, func(r policy.PathRule) bool {
		return r.Access != policy.Excepted && r.Path != pattern && holds(r.Path, pattern)
	})
}

// holds tells whether a path is what the pattern names, or lies in it.
func holds(pattern, path string) bool {
	for ; path != "/" && path != "."; path = filepath.Dir(path) {
		if ok, _ := filepath.Match(pattern, path); ok {
			return true
		}
	}
	return false
}
