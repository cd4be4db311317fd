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
	files   []FileID
	missing bool // nothing is there
}

// zones are all of them.
type zones struct {
	rules   []zone
	only    []zone // nil: no allow-list
	engines []zone
	links   []zone // that rules lead through

	// The rules once more: see index.
	files []*zone
	near  map[string][]*zone
	other []*zone
}

func newZones(cfg Config, facts Facts) *zones {
	z := &zones{rules: make([]zone, 0, len(cfg.Mounts.Rules))}
	for _, r := range cfg.Mounts.Rules {
		z.rules = addZones(z.rules, r, facts)
		z.addLinks(r, facts)
	}
	if cfg.Mounts.Only != nil {
		z.only = []zone{}
	}
	for _, p := range cfg.Mounts.Only {
		z.only = addZones(z.only, PathRule{Path: p}, facts)
	}
	for _, p := range cfg.Sockets.Engines {
		r := PathRule{Path: p, Access: Restricted}
		z.engines = addZones(z.engines, r, facts)
		z.addLinks(r, facts)
	}
	z.index()
	return z
}

// index sorts the rules, of which there are hundreds, by what a look has to be at: those
// that know a file, and those of each directory in the root. Their order stays.
func (z *zones) index() {
	z.near = map[string][]*zone{}
	for i := range z.rules {
		r := &z.rules[i]
		if len(r.files) > 0 {
			z.files = append(z.files, r)
		}
		if len(r.parts) == 0 || !r.plain[0] {
			for name := range z.near {
				z.near[name] = append(z.near[name], r)
			}
			z.other = append(z.other, r)
			continue
		}
		name := r.parts[0]
		if z.near[name] == nil {
			z.near[name] = slices.Clone(z.other)
		}
		z.near[name] = append(z.near[name], r)
	}
}

// about are the rules that may have to do with a path.
func (z *zones) about(parts []string) []*zone {
	if len(parts) > 0 {
		if near, ok := z.near[parts[0]]; ok {
			return near
		}
		return z.other
	}
	all := make([]*zone, len(z.rules))
	for i := range z.rules {
		all[i] = &z.rules[i]
	}
	return all
}

func (z *zones) addLinks(r PathRule, facts Facts) {
	for _, link := range facts.Places[r.Path].Links {
		z.links = append(z.links, zone{PathRule: r, pattern: newPattern(link)})
	}
}

// addZones adds the zone of a rule, and one for each place that it has besides.
func addZones(zones []zone, r PathRule, facts Facts) []zone {
	at := facts.Places[r.Path]
	if at.Path == "" {
		at.Path = r.Path
	}
	zones = append(zones, zone{r, newPattern(at.Path), at.Files, at.Missing})
	for _, p := range at.Also {
		zones = append(zones, zone{r, newPattern(p), nil, false})
	}
	return zones
}

// of is the rule that holds for a path: one that is final, else the most specific one,
// and of two that are equally specific the later. Without any the result is nil.
func (z *zones) of(parts []string) *zone {
	var best *zone
	for _, r := range z.about(parts) {
		if !r.covers(parts) {
			continue
		}
		if r.Final {
			return r
		}
		if best == nil || !best.moreSpecific(r.pattern) {
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

// held are the rules about what lies below a path.
type held struct {
	hard     *zone // restricts it for every use
	layers   *zone // for every use but that of layers
	link     *zone // leads through a link there
	readable *zone
	masks    []*zone
}

// below gives the rules that are about something below a path.
func (z *zones) below(parts []string) (h held) {
	for _, r := range z.about(parts) {
		if !r.liesBelow(parts) {
			continue
		}
		switch r.Access {
		case Masked:
			h.masks = append(h.masks, r)
		case Readable:
			h.readable = cmp.Or(h.readable, r)
		case Restricted:
			h.hard = r
			return h
		case Layers:
			h.layers = cmp.Or(h.layers, r)
		}
	}
	for i := range z.engines {
		if r := &z.engines[i]; r.liesBelow(parts) {
			h.hard = r
			return h
		}
	}
	for i := range z.links {
		if r := &z.links[i]; r.liesBelow(parts) {
			h.link = r
			return h
		}
	}
	return h
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

// sameFile is the rule of some access about a file that a source is another name of.
func (z *zones) sameFile(s Source, a Access) *zone {
	for _, r := range z.files {
		if r.Access == a && r.has(s) {
			return r
		}
	}
	return nil
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
