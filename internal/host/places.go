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
// wildcards match included. Patterns that permit go only where links lead that nobody
// but root of the host can have made: else whoever may write to a directory that is
// permitted could permit another one. So do those that permit some uses and forbid others.
func (r *resolver) places(cfg policy.Config) map[string]policy.Location {
	places := make(map[string]policy.Location, len(cfg.Mounts.Rules)+len(cfg.Sockets.Engines))
	for _, pattern := range cfg.Sockets.Engines {
		places[pattern] = r.forbidden(pattern)
	}
	for _, rule := range cfg.Mounts.Rules {
		switch rule.Access {
		case policy.Restricted, policy.Masked:
			places[rule.Path] = r.forbidden(rule.Path)
		case policy.Excepted, policy.Layers:
			// What it may turn out to open guards nothing.
			places[rule.Path] = r.layers(rule.Path, func(*resolved) bool { return true })
		}
	}
	r.guarded = cfg.Guarded(places)
	for _, pattern := range cfg.Mounts.Only {
		places[pattern] = r.permitted(pattern)
	}
	for _, rule := range cfg.Mounts.Rules {
		switch rule.Access {
		case policy.Excepted:
			places[rule.Path] = r.permitted(rule.Path)
		case policy.Layers:
			places[rule.Path] = r.layers(rule.Path, r.steady)
		case policy.Readable:
			places[rule.Path] = r.found(r.permitted(rule.Path), rule.Path, r.steady)
		}
	}
	return places
}

func (r *resolver) permitted(pattern string) policy.Location {
	plain, rest := splitPattern(pattern)
	found := r.of(plain)
	if !r.steady(found) {
		return policy.Location{Path: pattern}
	}
	return policy.Location{Path: under(literal(found.path), rest)}
}

// layers is a place of many directories, which the last wildcard stands for. They are
// not looked at; links are followed on the way to them.
func (r *resolver) layers(pattern string, follows func(*resolved) bool) policy.Location {
	at := policy.Location{Path: pattern}
	plain, rest := splitPattern(pattern)
	way, last := cutLast(rest)
	for _, dir := range r.match(r.of(plain), way) {
		if !matches(strings.TrimSuffix(pattern, last), dir.path) && follows(dir) {
			at.Also = append(at.Also, under(literal(dir.path), last))
		}
	}
	slices.Sort(at.Also)
	at.Also = slices.Compact(at.Also)
	return at
}

func (r *resolver) forbidden(pattern string) policy.Location {
	plain, rest := splitPattern(pattern)
	found := r.of(plain)
	at := policy.Location{Path: under(literal(found.path), rest), Missing: rest != "" || found.gone}
	var links []string
	at = r.found(at, pattern, func(found *resolved) bool {
		for _, link := range found.links {
			links = append(links, literal(link))
		}
		return true
	})
	slices.Sort(links)
	at.Links = slices.Compact(links)
	return at
}

// found adds to a location what exists there: the files, and where the links lead that
// its wildcards match.
func (r *resolver) found(at policy.Location, pattern string, follows func(*resolved) bool) policy.Location {
	plain, rest := splitPattern(pattern)
	dir := r.of(plain)
	if !follows(dir) {
		return at
	}
	for _, m := range r.match(dir, rest) {
		if !follows(m) {
			continue
		}
		at.Files = addFile(at.Files, m)
		if rest == "" {
			continue
		}
		at.Missing = false
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
		at.links, at.roots = slices.Concat(dir.links, at.links), at.roots && dir.roots
		if at.exists {
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

// cutLast cuts what splitPattern leaves before its last component with a wildcard.
func cutLast(rest string) (way, last string) {
	for i := len(rest); i > 0; {
		i = strings.LastIndexByte(rest[:i], '/')
		if last = rest[i:]; isWild(last) {
			return rest[:i], last
		}
	}
	return "", ""
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
