package policy_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// invariants hold for every spec that reaches runc. A check gives what is
// broken, or nothing.
var invariants = []struct {
	name  string
	check func(*passage) string
}{
	{"no restricted object is a volume, and all masks are there", noRestrictedVolumes},
	{"no restricted object is the root file system", noRestrictedRootfs},
	{"no engine's socket without a pin", noUnprovenSockets},
	{"only settings of own namespaces", onlyOwnSettings},
	{"only hooks that are listed", onlyListedHooks},
	{"no process comes before those of the host", nothingBeforeTheHost},
	{"every bind is staged or cloned", everyBindIsOurs},
	{"what a seccomp profile denies stays denied, and only the agent listens", seccompHolds},
	{"annotations hold, whatever else is configured", annotationsHold},
	{"every namespace is the container's own, or that of the one it joins", func(p *passage) string {
		s, d, g, f := p.after, p.decision, p.grant, p.facts
		if len(d.Host) > 0 {
			if broken := p.excused("host-namespace", "linux.namespaces", fmt.Sprint(d.Host)); broken != "" {
				return broken
			}
		}
		want := slices.DeleteFunc([]string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}, func(t string) bool {
			return slices.Contains(d.Host, specs.LinuxNamespaceType(t))
		})
		joined := map[string]bool{g.UserNS: true}
		for _, i := range d.Joins {
			joined[g.Namespaces[i]] = true
			if ns := f.Namespaces[i]; ns.Host || ns.Foreign || ns.Nested || ns.Type == specs.MountNamespace || ns.UserNS != d.UserNS && !(ns.HostOwned && ns.UserNS == 0) || ns.HostOwned && !d.Borrowed {
				return fmt.Sprintf("joins %+v", ns)
			} else if ns.Container != "" && (path.Dir(ns.Container) != path.Dir(f.Bundle) || ns.HostOwned && ns.Pod != policy.PodOf(s.Annotations)) {
				return fmt.Sprintf("joins a stranger: %+v", ns)
			}
		}
		var got []string
		for _, ns := range s.Linux.Namespaces {
			got = append(got, string(ns.Type))
			if ns.Path != "" && !joined[ns.Path] || ns.Type == specs.UserNamespace && ns.Path != g.UserNS {
				return fmt.Sprintf("%s joins %q", ns.Type, ns.Path)
			}
		}
		slices.Sort(got)
		return differ(want, got)
	}},
	{"what belongs to the host's user namespace is left to nobody inside", func(p *passage) string {
		s, d := p.after, p.decision
		if !d.Borrowed {
			return ""
		}
		for _, m := range s.Mounts {
			if m.Type == "sysfs" && !policy.IsBind(m) {
				return fmt.Sprintf("%+v", m)
			}
		}
		for key := range s.Linux.Sysctl {
			if strings.HasPrefix(key, "net") {
				return key
			}
		}
		return ""
	}},
	{"no host ID outside the grant", func(p *passage) string {
		s, d, g := p.after, p.decision, p.grant
		if g.Base < policy.MinHostID || g.Size < policy.MinSize {
			return fmt.Sprintf("the grant is %d+%d", g.Base, g.Size)
		}
		var want []specs.LinuxIDMapping
		if g.UserNS == "" {
			want = []specs.LinuxIDMapping{{ContainerID: 0, HostID: g.Base, Size: g.Size}}
		}
		for _, id := range append([]uint32{s.Process.User.UID, s.Process.User.GID}, s.Process.User.AdditionalGids...) {
			if id >= d.Size {
				return fmt.Sprintf("the process has %d of %d", id, d.Size)
			}
		}
		return differ(want, s.Linux.UIDMappings) + differ(want, s.Linux.GIDMappings)
	}},
	{"no directory of the host is left to runc", func(p *passage) string {
		s, g := p.after, p.grant
		volumes := map[string]bool{g.Dev: true}
		for _, v := range g.Volumes {
			volumes[v] = true
		}
		for i, m := range s.Mounts {
			if policy.IsBind(m) && !volumes[m.Source] || m.Type == "overlay" && !policy.IsBind(m) {
				return fmt.Sprintf("mount %d is %+v", i, m)
			}
			if len(m.UIDMappings)+len(m.GIDMappings) > 0 {
				return fmt.Sprintf("mount %d has a mapping: %+v", i, m)
			}
		}
		return ""
	}},
	{"the rootfs and /dev are the staged ones", func(p *passage) string {
		s, g := p.after, p.grant
		n := 0
		for _, m := range s.Mounts {
			if path.Clean(m.Destination) == "/dev" {
				n++
			}
		}
		if s.Root.Path != g.Root || n != 1 || s.Mounts[0].Destination != "/dev" || s.Mounts[0].Source != g.Dev || len(s.Linux.Devices) > 0 {
			return fmt.Sprintf("root %q, %d mounts on /dev, first %+v, %d devices", s.Root.Path, n, s.Mounts[0], len(s.Linux.Devices))
		}
		return ""
	}},
	{"no device is open that is not listed", func(p *passage) string {
		s, f := p.after, p.facts
		rules := s.Linux.Resources.Devices
		if first := rules[0]; first.Allow || first.Type != "a" || first.Access != "rwm" || first.Major != nil || first.Minor != nil {
			return fmt.Sprintf("the first rule is %+v", first)
		}
		for _, r := range rules[1:] {
			if !r.Allow {
				continue
			}
			if r.Major == nil || *r.Major < 0 || r.Minor == nil && *r.Major != 136 {
				return fmt.Sprintf("too wide: %+v", r)
			}
			if r.Minor != nil && !listed(f, r.Type, *r.Major, *r.Minor) && (r.Type != "c" || *r.Major != 5 || *r.Minor != 2) {
				return fmt.Sprintf("not listed: %s %d:%d", r.Type, *r.Major, *r.Minor)
			}
		}
		return ""
	}},
	{"no node is made that is not listed", func(p *passage) string {
		d, f := p.decision, p.facts
		seen := map[string]bool{}
		for _, n := range d.Devices {
			if seen[n.Path] {
				return "twice: " + n.Path
			}
			seen[n.Path] = true
			if bad := badNode(n, d, f); bad != "" {
				return bad
			}
		}
		for _, n := range d.Nodes {
			if bad := badNode(n, d, f); bad != "" {
				return bad
			}
		}
		return ""
	}},
	{"cgroups are delegated, clocks start at 0", func(p *passage) string {
		s := p.after
		for _, m := range s.Mounts {
			if (m.Type == "cgroup" || m.Type == "cgroup2") && !policy.IsBind(m) && policy.ReadOnly(m) {
				return fmt.Sprintf("%+v", m)
			}
		}
		if slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == specs.TimeNamespace && ns.Path != "" }) {
			return differ(nil, slices.Collect(maps.Keys(s.Linux.TimeOffsets)))
		}
		for _, clock := range []string{"boottime", "monotonic"} {
			if _, ok := s.Linux.TimeOffsets[clock]; !ok {
				return "no offset for " + clock
			}
		}
		return ""
	}},
}

func badNode(n policy.Device, d policy.Decision, f policy.Facts) string {
	switch {
	case !listed(f, n.Type, n.Major, n.Minor):
		return fmt.Sprintf("not listed: %+v", n)
	case n.UID >= d.Size || n.GID >= d.Size || n.Mode&^0o777 != 0:
		return fmt.Sprintf("owner or mode: %+v", n)
	case !path.IsAbs(n.Path) || path.Clean(n.Path) != n.Path || n.Path == "/" || n.Path == "/dev":
		return fmt.Sprintf("path: %+v", n)
	}
	return ""
}

func listed(f policy.Facts, kind string, major, minor int64) bool {
	standard := kind == "c" && (major == 1 && slices.Contains([]int64{3, 5, 7, 8, 9}, minor) || major == 5 && minor == 0)
	return standard || slices.ContainsFunc(f.Devices, func(n policy.Node) bool {
		return n.Type == kind && n.Major == major && n.Minor == minor
	})
}

func differ[T comparable](want, got []T) string {
	if slices.Equal(want, got) {
		return ""
	}
	return fmt.Sprintf("want %v, got %v", want, got)
}
