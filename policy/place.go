package policy

import (
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Placement says who makes a mount, and when. Its zero value is no placement.
type Placement string

const (
	// Staged mounts are made before runc runs, in the order of the spec, below
	// the staged rootfs. The kernel locks them when runc copies the tree into
	// the container's user namespace, and the spec no longer has them.
	Staged Placement = "staged"

	// Cloned mounts are prepared before runc runs but attached by runc, as binds,
	// because a mount that runc makes itself is on the way. The spec has them
	// with another source.
	Cloned Placement = "cloned"

	// Delegated mounts are runc's.
	Delegated Placement = "delegated"

	// Dev is the client's /dev, in whose place the runtime brings its own. Its
	// options (size, mode) still count.
	Dev Placement = "dev"
)

// Place says for each mount who makes it. The targets are the destinations as
// the rootfs resolves them, by index, clean and absolute in the container;
// where one is missing or empty its name stands for it.
//
// Staged mounts are there before those that runc makes. So what has anything
// to do with an earlier mount of runc's, being below, above or on it, keeps its
// turn in runc's order. A tmpfs is staged if a later bind needs it. Names and
// targets are both looked at: a rootfs may hide links below a tmpfs, and then
// neither is sure. What runc has no right to mount ([Decision.Makes]) is staged too.
func Place(d Decision, mounts []specs.Mount, targets []string) []Placement {
	places := make([]spot, len(mounts))
	for i, m := range mounts {
		places[i] = spot{path.Clean(m.Destination), path.Clean(m.Destination)}
		if i < len(targets) && targets[i] != "" {
			places[i].target = path.Clean(targets[i])
		}
	}
	out := make([]Placement, len(mounts))
	var runcs []spot
	for i, m := range mounts {
		out[i] = d.place(m, places[i], runcs, func() bool { return needed(mounts, places, i) })
		if out[i] == Cloned || out[i] == Delegated {
			runcs = append(runcs, places[i])
		}
	}
	return out
}

// Makes tells whether a mount is one of a file system that shows a namespace of the
// host's user namespace. Only who has rights there can mount it, so it is the caller's
// to make: a new one for that namespace, never the host's own.
func (d Decision) Makes(m specs.Mount) bool {
	switch {
	case IsBind(m):
		return false
	case m.Type == "sysfs":
		return d.Borrowed
	case m.Type == "proc":
		return slices.Contains(d.Host, specs.PIDNamespace)
	case m.Type == "mqueue":
		return slices.Contains(d.Host, specs.IPCNamespace)
	}
	return false
}

func (d Decision) place(m specs.Mount, at spot, runcs []spot, needed func() bool) Placement {
	switch {
	case isDev(m) && !IsBind(m):
		return Dev
	case (IsBind(m) || d.Makes(m)) && at.related(runcs):
		return Cloned
	case IsBind(m) || d.Makes(m):
		return Staged
	case m.Type != "tmpfs" || has(m, "tmpcopyup") || at.related(runcs) || !needed():
		return Delegated
	default:
		return Staged
	}
}

// needed tells whether a later bind lies on or below mount i.
func needed(mounts []specs.Mount, places []spot, i int) bool {
	for j := i + 1; j < len(mounts); j++ {
		if IsBind(mounts[j]) && places[j].on(places[i]) {
			return true
		}
	}
	return false
}

// spot is where a mount goes: by name, and as the rootfs resolves the name.
type spot struct{ name, target string }

// on tells whether s may be o or lie below it.
func (s spot) on(o spot) bool {
	return below(s.name, o.name) || below(s.name, o.target) ||
		below(s.target, o.name) || below(s.target, o.target)
}

func (s spot) related(others []spot) bool {
	for _, o := range others {
		if s.on(o) || o.on(s) {
			return true
		}
	}
	return false
}
