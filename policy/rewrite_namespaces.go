package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rewriteRoot points runc at the staged rootfs. root.readonly stays: runc's
// remount succeeds on a mount that is read-only already, locked or not.
func rewriteRoot(spec *specs.Spec, r *rewrite) {
	root := *spec.Root
	root.Path = r.grant.Root
	spec.Root = &root
}

// rewriteNamespaces points runc at what was opened, leaves out what is shared with the
// host, and adds the namespaces that every container gets.
func rewriteNamespaces(spec *specs.Spec, r *rewrite) {
	paths := map[specs.LinuxNamespaceType]string{specs.UserNamespace: r.grant.UserNS}
	for _, i := range r.decision.Joins {
		paths[spec.Linux.Namespaces[i].Type] = r.grant.Namespaces[i]
	}
	var list []specs.LinuxNamespace
	for _, ns := range spec.Linux.Namespaces {
		if !slices.Contains(given, ns.Type) && !slices.Contains(r.decision.Host, ns.Type) {
			list = append(list, specs.LinuxNamespace{Type: ns.Type, Path: paths[ns.Type]})
		}
	}
	for _, t := range given {
		list = append(list, specs.LinuxNamespace{Type: t, Path: paths[t]})
	}
	spec.Linux.Namespaces = list
}

// rewriteMappings leaves the mapping out where runc joins a namespace that has
// it: runc reads it from there, and warns of both (specconv, 1.5.2), which a
// later version may refuse.
func rewriteMappings(spec *specs.Spec, r *rewrite) {
	spec.Linux.UIDMappings, spec.Linux.GIDMappings = nil, nil
	if r.grant.UserNS == "" {
		spec.Linux.UIDMappings = []specs.LinuxIDMapping{r.grant.mapping()}
		spec.Linux.GIDMappings = []specs.LinuxIDMapping{r.grant.mapping()}
	}
}

// rewriteTimeOffsets lets the container's clocks start at 0, unless the client
// has set one itself (time_namespaces(7)). A time namespace that is joined has its own.
func rewriteTimeOffsets(spec *specs.Spec, r *rewrite) {
	if slices.ContainsFunc(spec.Linux.Namespaces, isJoined(specs.TimeNamespace)) {
		spec.Linux.TimeOffsets = nil
		return
	}
	offsets := map[string]specs.LinuxTimeOffset{
		"boottime":  back(r.facts.Boottime),
		"monotonic": back(r.facts.Monotonic),
	}
	maps.Copy(offsets, spec.Linux.TimeOffsets)
	spec.Linux.TimeOffsets = offsets
}

func isJoined(t specs.LinuxNamespaceType) func(specs.LinuxNamespace) bool {
	return func(ns specs.LinuxNamespace) bool { return ns.Type == t && ns.Path != "" }
}

// back gives the offset that takes a clock from now to 0. The nanoseconds of
// an offset count upwards, also below 0: -0.3 s is -1 s + 700,000,000 ns.
func back(now time.Duration) specs.LinuxTimeOffset {
	secs, nanos := -(now / time.Second), -(now % time.Second)
	if nanos < 0 {
		secs, nanos = secs-1, nanos+time.Second
	}
	return specs.LinuxTimeOffset{Secs: int64(secs), Nanosecs: uint32(nanos)}
}
