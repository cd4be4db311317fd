package policy

import (
	"cmp"
	"slices"
	"sync"
)

// defaultRules are the built-in ones, in the order that [merge] gives them.
var defaultRules = sync.OnceValue(func() []PathRule { return merge(nil, builtin()) })

// merge lays rules for paths over others: of two for the same path, the later one
// counts. The order of the result does not depend on who wrote what when: the stricter
// rules stand last, because of two that are equally specific the last one wins.
func merge(base, more []PathRule) []PathRule {
	if len(more) == 0 {
		return base
	}
	access := make(map[string]Access, len(base)+len(more))
	for _, r := range slices.Concat(base, more) {
		access[r.Path] = r.Access
	}
	var kept, added []PathRule
	for _, r := range builtin() {
		if access[r.Path] == r.Access {
			kept = append(kept, r)
			delete(access, r.Path)
		}
	}
	for p, a := range access {
		added = append(added, PathRule{Path: p, Access: a})
	}
	slices.SortFunc(added, func(a, b PathRule) int { return cmp.Compare(a.Path, b.Path) })
	out := make([]PathRule, 0, len(kept)+len(added))
	for _, a := range byStrictness {
		for _, r := range slices.Concat(kept, added) {
			if r.Access == a {
				out = append(out, r)
			}
		}
	}
	return out
}

// byStrictness are the accesses, the strictest last.
var byStrictness = []Access{Excepted, Layers, Readable, Masked, Restricted}
