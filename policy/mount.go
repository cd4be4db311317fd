package policy

import (
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// IsBind tells whether a mount is a bind, and so a volume. Options decide, as
// they do in runc: nerdctl's volumes have the type "none".
func IsBind(m specs.Mount) bool {
	return m.Type == "bind" || has(m, "bind") || has(m, "rbind")
}

// Recursive tells whether a bind takes the mounts below its source along.
func Recursive(m specs.Mount) bool { return has(m, "rbind") }

// ReadOnly tells whether a mount is to be read-only. As in runc, of two
// options that contradict each other the later one holds.
func ReadOnly(m specs.Mount) bool {
	ro := false
	for _, o := range m.Options {
		switch o {
		case "ro", "rro":
			ro = true
		case "rw", "rrw":
			ro = false
		}
	}
	return ro
}

// follows tells whether a bind asks for what the host will mount below its source.
func follows(m specs.Mount) (follows bool) {
	for _, o := range m.Options {
		switch o {
		case "slave", "rslave", "shared", "rshared":
			follows = true
		case "private", "rprivate", "unbindable", "runbindable":
			follows = false
		}
	}
	return follows
}

func has(m specs.Mount, option string) bool { return slices.Contains(m.Options, option) }

// dev is where the runtime brings a tmpfs of its own.
const dev = "/dev"

// isDev tells whether a mount is the client's /dev, by its cleaned name.
func isDev(m specs.Mount) bool { return path.Clean(m.Destination) == dev }

// below tells whether a is b or lies below it; both are clean.
func below(a, b string) bool {
	return a == b || b == "/" || strings.HasPrefix(a, b+"/")
}

func hasNull(s string) bool { return strings.ContainsRune(s, 0) }

// hasDotDot tells whether a path climbs, anywhere in it.
func hasDotDot(p string) bool { return slices.Contains(strings.Split(p, "/"), "..") }
