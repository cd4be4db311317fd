package policy

import (
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rewriteMounts leaves to runc what was not staged. In front stands a bind of
// the staged /dev: runc fills a /dev of its own making with nodes
// and links, but none that is a bind (needsSetupDev in libcontainer).
func rewriteMounts(spec *specs.Spec, r *rewrite) {
	mounts := []specs.Mount{{
		Destination: dev,
		Type:        "bind",
		Source:      r.grant.Dev,
		Options:     []string{"rbind"},
	}}
	for i, m := range spec.Mounts {
		switch r.placements[i] {
		case Cloned:
			mounts = append(mounts, cloned(m, r.grant.Volumes[i], r.decision, i))
		case Delegated:
			mounts = append(mounts, delegated(m))
		}
	}
	spec.Mounts = mounts
}

// cloned binds a prepared volume. The flags are on it already, and locked;
// asking runc for others would fail where they differ. What masks it comes along.
func cloned(m specs.Mount, source string, d Decision, i int) specs.Mount {
	how := "bind"
	if len(d.Masks[i]) > 0 || Recursive(m) {
		how = "rbind"
	}
	options := []string{how}
	if ReadOnly(m) {
		options = append(options, "ro")
	}
	for _, o := range m.Options {
		if slices.Contains(propagations, o) && !d.Private[i] {
			options = append(options, o)
		}
	}
	return specs.Mount{Destination: m.Destination, Type: "bind", Source: source, Options: options}
}

// delegated makes the cgroup mount writable and leaves all others alone. With
// the source "cgroup" and without "ro", runc gives a cgroup v2 to the
// container's user (specconv); on v1 the caller does. What is not owned by the
// container stays read-only to it by its owner and mode.
func delegated(m specs.Mount) specs.Mount {
	if m.Type != "cgroup" && m.Type != "cgroup2" {
		return m
	}
	m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool {
		return o == "ro" || o == "rro"
	})
	if !has(m, "rw") {
		m.Options = append(m.Options, "rw")
	}
	if path.Clean(m.Destination) == "/sys/fs/cgroup" {
		m.Source = "cgroup"
	}
	return m
}
