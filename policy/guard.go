package policy

// Guarded gives a function that tells whether no container can change what is in a
// directory of the host. It has no other paths than those that a volume, or a root file
// system, of that directory would be refused for, or read-only: it is restricted, lies in
// a restricted directory, or holds one, or a link that leads to one. So do all directories
// above it.
//
// Places are those of what is restricted, as in [Facts.Places], and of exceptions and
// layers all that they may turn out to open. What is restricted for one container alone,
// by its annotations, guards nothing.
func (c Config) Guarded(places map[string]Location) func(dir string) bool {
	var guards Config
	for _, r := range c.Mounts.Rules {
		if !r.Final && (r.Access == Restricted || r.Access == Excepted || r.Access == Layers) {
			guards.Mounts.Rules = append(guards.Mounts.Rules, r)
		}
	}
	guards.Sockets.Engines = c.Sockets.Engines
	z := newZones(guards, Facts{Places: places})
	known := map[string]bool{}
	return func(dir string) bool {
		if guarded, ok := known[dir]; ok {
			return guarded
		}
		parts := components(dir)
		r, h := z.of(parts), z.below(parts)
		known[dir] = r != nil && r.Access == Restricted || r == nil && (h.hard != nil || h.link != nil)
		return known[dir]
	}
}
