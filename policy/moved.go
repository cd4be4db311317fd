package policy

import (
	"slices"
	"strings"
)

// Moved gives the configuration for an engine that keeps in a directory what others
// keep in another one: the rules for paths in the latter hold for the former as well.
// A rule that the administrator wrote for a path stays as it is.
func (c Config) Moved(from, to string) Config {
	if below(to, from) || below(from, to) {
		return c // the rules know the place, or would forbid a directory of the host
	}
	quoted := quotePattern(to)
	var moved []PathRule
	for _, r := range c.Mounts.Rules {
		if !below(r.Path, from) {
			continue
		}
		r.Path = quoted + strings.TrimPrefix(r.Path, from)
		if !slices.ContainsFunc(c.Mounts.Rules, func(other PathRule) bool { return other.Path == r.Path }) {
			moved = append(moved, r)
		}
	}
	c.Mounts.Rules = append(moved, c.Mounts.Rules...)
	return c
}

// WithEngine gives the configuration for a host with one more engine's socket.
func (c Config) WithEngine(socket string) Config {
	if quoted := quotePattern(socket); !slices.Contains(c.Sockets.Engines, quoted) {
		c.Sockets.Engines = append(slices.Clone(c.Sockets.Engines), quoted)
	}
	return c
}

// quotePattern makes the pattern that a path alone matches.
func quotePattern(p string) string {
	if !strings.ContainsAny(p, `*?[\`) {
		return p
	}
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(p)
}
