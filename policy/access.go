package policy

import (
	"cmp"
	"slices"
	"strings"
)

// Places are the patterns whose place on the host has to be known for [Check]: see
// [Facts.Places].
func (c Config) Places() []string {
	var out []string
	for _, r := range c.Mounts.Rules {
		out = append(out, r.Path)
	}
	out = append(out, c.Mounts.Only...)
	return append(out, c.Sockets.Engines...)
}

// zone is a rule for paths, with its place on this host.
type zone struct {
	PathRule
	pattern
	files []FileID
}

// zones are all of them.
type zones struct {
	rules   []zone
	only    []zone // nil: no allow-list
	engines []zone
}

func newZones(cfg Config, facts Facts) *zones {
	z := &zones{rules: make([]zone, 0, len(cfg.Mounts.Rules))}
	for _, r := range cfg.Mounts.Rules {
		z.rules = addZones(z.rules, r, facts)
	}
	if cfg.Mounts.Only != nil {
		z.only = []zone{}
	}
	for _, p := range cfg.Mounts.Only {
		z.only = addZones(z.only, PathRule{Path: p}, facts)
	}
	for _, p := range cfg.Sockets.Engines {
		z.engines = addZones(z.engines, PathRule{Path: p, Access: Restricted}, facts)
	}
	return z
}

// addZones adds the zone of a rule, and one for each place that it has besides.
func addZones(zones []zone, r PathRule, facts Facts) []zone {
	at := facts.Places[r.Path]
	if at.Path == "" {
		at.Path = r.Path
	}
	zones = append(zones, zone{r, newPattern(at.Path), at.Files})
	for _, p := range at.Also {
		zones = append(zones, zone{r, newPattern(p), nil})
	}
	return zones
}

// of is the rule that holds for a path: one that is final, else the most specific one,
// and of two that are alike the later. Without any the result is nil.
func (z *zones) of(parts []string) *zone {
	var best *zone
	for i := range z.rules {
		r := &z.rules[i]
		if !r.covers(parts) {
			continue
		}
		if r.Final {
			return r
		}
		if best == nil || len(r.parts) >= len(best.parts) {
			best = r
		}
	}
	return best
}

// final is the rule without exceptions that restricts a source, or nil.
func (z *zones) final(s Source) *zone {
	for i := range z.rules {
		r := &z.rules[i]
		if r.Final && (r.has(s) || slices.ContainsFunc(s.Paths, func(p string) bool { return r.covers(components(p)) })) {
			return r
		}
	}
	return nil
}

// below gives the rules that restrict something below a path, the masks apart.
func (z *zones) below(parts []string) (hard *zone, masks []*zone) {
	for i := range z.rules {
		r := &z.rules[i]
		if !r.liesBelow(parts) {
			continue
		}
		switch r.Access {
		case Masked:
			masks = append(masks, r)
		case Restricted:
			return r, masks
		case Layers:
			hard = cmp.Or(hard, r)
		}
	}
	if hard != nil {
		return hard, masks
	}
	for i := range z.engines {
		if r := &z.engines[i]; r.liesBelow(parts) {
			return r, masks
		}
	}
	return nil, masks
}

// engine is the engine's socket that a source is, by its path or by its inode.
func (z *zones) engine(s Source) *zone {
	if s.Kind != KindSocket {
		return nil
	}
	for i := range z.engines {
		e := &z.engines[i]
		for _, p := range s.Paths {
			if parts := components(p); len(parts) == len(e.parts) && e.covers(parts) {
				return e
			}
		}
		if e.has(s) {
			return e
		}
	}
	return nil
}

// has tells whether a source is one of the files that were found at the place.
func (z *zone) has(s Source) bool {
	for _, f := range z.files {
		if s.Inode != 0 && f == (FileID{s.Device, s.Inode}) {
			return true
		}
	}
	return false
}

// linked is the restricted file that a source is under another name.
func (z *zones) linked(s Source) string {
	for i := range z.rules {
		if r := &z.rules[i]; r.Access == Restricted && r.has(s) {
			return r.Path
		}
	}
	return s.Linked
}

// allowed tells whether the allow-list, if there is one, has a path.
func (z *zones) allowed(parts []string) bool {
	if z.only == nil {
		return true
	}
	for _, o := range z.only {
		if o.covers(parts) {
			return true
		}
	}
	return false
}

// relative is the path of a place below a path that holds it.
func (z *zone) relative(parts []string) string {
	return strings.Join(z.parts[len(parts):], "/")
}
