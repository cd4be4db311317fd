package policy

import (
	"path"
	"strings"
)

// pattern is an absolute path whose components may hold wildcards, ready to be
// compared.
type pattern struct {
	parts []string
	plain []bool // parts without wildcards, which most are
}

func newPattern(p string) pattern {
	parts := components(p)
	plain := make([]bool, len(parts))
	for i, part := range parts {
		plain[i] = !strings.ContainsAny(part, `*?[\`)
	}
	return pattern{parts, plain}
}

// components are the names in a clean absolute path.
func components(p string) []string {
	if p = strings.Trim(p, "/"); p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

// match tells whether the first n components of both are the same.
func (p pattern) match(parts []string, n int) bool {
	for i := range n {
		if p.plain[i] {
			if p.parts[i] != parts[i] {
				return false
			}
		} else if ok, err := path.Match(p.parts[i], parts[i]); !ok && err == nil {
			return false
		}
	}
	return true
}

// covers tells whether a path is what the pattern names, or lies below it.
func (p pattern) covers(parts []string) bool {
	return len(parts) >= len(p.parts) && p.match(parts, len(p.parts))
}

// liesBelow tells whether what the pattern names can lie below a path.
func (p pattern) liesBelow(parts []string) bool {
	return len(parts) < len(p.parts) && p.match(parts, len(parts))
}

// moreSpecific tells whether a pattern says more than another one about the paths that
// both cover: it goes deeper, or it names what the other one leaves open.
func (p pattern) moreSpecific(o pattern) bool {
	if len(p.parts) != len(o.parts) {
		return len(p.parts) > len(o.parts)
	}
	return p.named() > o.named()
}

// named is how many components have no wildcard.
func (p pattern) named() (n int) {
	for _, plain := range p.plain {
		if plain {
			n++
		}
	}
	return n
}
