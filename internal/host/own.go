package host

import "github.com/eci-runtime/eci/policy"

// ownDir is a directory whose content decides who is isolated from whom: claims,
// runc's state of containers, their bundles. A container that could write there
// could take another's range, or have runc run a program as root.
type ownDir struct {
	named, real string
	// inside says that what lies in it is not the runtime's alone, and judged by
	// other rules.
	inside bool
}

// ownDirs are those that the request and the configuration name.
func (o *observer) ownDirs(cfg policy.Config, r Request) []ownDir {
	var dirs []ownDir
	for _, dir := range append([]string{cfg.StateDir, parent(r.Bundle, 2)}, cfg.RuncRoots...) {
		dirs = append(dirs, ownDir{dir, o.names.of(dir).path, false})
	}
	for _, dir := range r.Own {
		dirs = append(dirs, ownDir{dir, o.names.of(dir).path, true})
	}
	return dirs
}

// reaches says which of the directories a source is, holds or lies in, by any of its
// names. The name except is no reason.
func reaches(s policy.Source, dirs []ownDir, except string) string {
	for _, dir := range dirs {
		is := func(name string) bool {
			return name != except && (within(dir.real, name) || !dir.inside && within(name, dir.real))
		}
		if anyOf(s.Paths, is) {
			return dir.named
		}
		for _, m := range s.Below {
			if anyOf(m.Paths, is) {
				return dir.named
			}
		}
		for _, layer := range s.Layers {
			if anyOf(layer, is) {
				return dir.named
			}
		}
	}
	return ""
}

func anyOf(names []string, is func(string) bool) bool {
	for _, name := range names {
		if is(name) {
			return true
		}
	}
	return false
}
