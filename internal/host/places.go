package host

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// places finds where the patterns of the configuration lead on this host.
//
// Patterns that forbid go where the links lead, whoever made them, those that their
// wildcards match included. Patterns that permit go only where root's links lead:
// else the owner of a directory that is permitted could permit another one. Those of
// layers do both.
func (r *resolver) places(cfg policy.Config) map[string]policy.Location {
	places := make(map[string]policy.Location, len(cfg.Mounts.Rules)+len(cfg.Sockets.Engines))
	for _, pattern := range cfg.Mounts.Only {
		places[pattern] = r.permitted(pattern)
	}
	for _, rule := range cfg.Mounts.Rules {
		switch rule.Access {
		case policy.Excepted:
			places[rule.Path] = r.permitted(rule.Path)
		case policy.Layers:
			at := r.permitted(rule.Path)
			places[rule.Path] = r.links(at, rule.Path, func(found *resolved) bool { return found.steady })
		default:
			places[rule.Path] = r.forbidden(rule.Path)
		}
	}
	for _, pattern := range cfg.Sockets.Engines {
		places[pattern] = r.forbidden(pattern)
	}
	return places
}

func (r *resolver) permitted(pattern string) policy.Location {
	plain, rest := splitPattern(pattern)
	found := r.of(plain)
	if !found.steady {
		return policy.Location{Path: pattern}
	}
	return policy.Location{Path: under(literal(found.path), rest)}
}

func (r *resolver) forbidden(pattern string) policy.Location {
	plain, rest := splitPattern(pattern)
	found := r.of(plain)
	at := policy.Location{Path: under(literal(found.path), rest)}
	if rest == "" {
		at.Files = addFile(at.Files, found)
		return at
	}
	return r.links(at, pattern, func(*resolved) bool { return true })
}

// links adds to a location what its wildcards match: the files, and where links lead.
func (r *resolver) links(at policy.Location, pattern string, follows func(*resolved) bool) policy.Location {
	plain, rest := splitPattern(pattern)
	dir := r.of(plain)
	if rest == "" || !follows(dir) {
		return at
	}
	for _, m := range r.match(dir, rest) {
		if !follows(m) {
			continue
		}
		at.Files = addFile(at.Files, m)
		if to := literal(m.path); !slices.Contains(at.Also, to) && !matches(at.Path, m.path) {
			at.Also = append(at.Also, to)
		}
	}
	slices.Sort(at.Also)
	return at
}

// addFile adds what is found to a list of files, unless it is a directory: those are
// known by their paths.
func addFile(files []policy.FileID, found *resolved) []policy.FileID {
	if !found.exists || found.path == "/" || found.stat.IsDir() {
		return files
	}
	return append(files, policy.FileID{Device: found.stat.Dev, Inode: found.stat.Ino})
}

// match finds what exists at a pattern below a directory.
func (r *resolver) match(dir *resolved, rest string) []*resolved {
	if rest == "" {
		return []*resolved{dir}
	}
	first, rest := cut(rest)
	var found []*resolved
	for _, name := range r.entries(dir, first) {
		at := *r.follow(under(dir.path, "/"+name), maxLinks)
		if at.steady = at.steady && dir.steady; at.exists {
			found = append(found, r.match(&at, rest)...)
		}
	}
	return found
}

// entries are the names in a directory that a component of a pattern matches.
func (r *resolver) entries(dir *resolved, component string) []string {
	if !isWild(component) {
		return []string{component}
	}
	if !dir.exists || dir.path != "/" && !dir.stat.IsDir() {
		return nil
	}
	f, err := linux.OpenAt(r.root, "."+dir.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return slices.DeleteFunc(names, func(name string) bool {
		ok, err := path.Match(component, name)
		return !ok && err == nil
	})
}

// splitPattern cuts a pattern before its first component with a wildcard.
func splitPattern(pattern string) (plain, rest string) {
	if !isWild(pattern) {
		return pattern, ""
	}
	for rest = pattern; ; {
		first, next := cut(rest)
		if isWild(first) {
			return plain + "/", rest
		}
		plain, rest = plain+"/"+first, next
	}
}

// cut takes the first component off "/a/b".
func cut(rest string) (first, next string) {
	rest = rest[1:]
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

func isWild(s string) bool { return strings.ContainsAny(s, `*?[\`) }

// literal is the pattern that a path alone matches.
func literal(name string) string {
	if !isWild(name) {
		return name
	}
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(name)
}

// matches tells whether a path is one that a pattern names.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
