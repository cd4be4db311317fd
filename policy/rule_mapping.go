package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkMapping keeps the second half of P02: a mapping that the client brings
// is honoured if it isolates like one of ours. Whether another container has
// it is not a question for values; whoever adopts it claims it.
func checkMapping(r *request, d *Decision) *Violation {
	linux := r.spec.Linux
	if len(linux.UIDMappings) == 0 && len(linux.GIDMappings) == 0 {
		d.Size = r.cfg.IDs.Size
		return nil
	}
	users, v := oneExtent("linux.uidMappings", linux.UIDMappings)
	if v != nil {
		return v
	}
	groups, v := oneExtent("linux.gidMappings", linux.GIDMappings)
	if v != nil {
		return v
	}
	if users != groups {
		return denied("linux.gidMappings", "users and groups are mapped differently: %s and %s", show(users), show(groups))
	}
	if d.UserNS != 0 {
		if i, fact := r.userNamespace(d.UserNS); !isMapping(fact.UIDMappings, users) || !isMapping(fact.GIDMappings, users) {
			return denied("linux.uidMappings", "the mapping %s is not that of the user namespace that goes with %q", show(users), linux.Namespaces[i].Path)
		}
	}
	d.Mapping, d.Size = &users, users.Size
	return nil
}

// isMapping tells whether extents are together the one that is wanted.
func isMapping(extents []specs.LinuxIDMapping, want specs.LinuxIDMapping) bool {
	got, v := oneExtent("", extents)
	return v == nil && got == want
}

// maxMapping is how many IDs a client may bring. Kubernetes brings 65,536, dockerd
// what /etc/subuid says.
const maxMapping = 1 << 20

// maxExtents is how many lines /proc/PID/uid_map takes since Linux 4.15,
// user_namespaces(7).
const maxExtents = 340

// oneExtent gives the single contiguous extent that the mapping is, or says
// why it cannot be honoured.
func oneExtent(field string, extents []specs.LinuxIDMapping) (specs.LinuxIDMapping, *Violation) {
	switch {
	case len(extents) == 0:
		return specs.LinuxIDMapping{}, malformed(field, "only one of users and groups is mapped")
	case len(extents) > maxExtents:
		return specs.LinuxIDMapping{}, malformed(field, "the mapping has %d extents, and the kernel takes %d", len(extents), maxExtents)
	}
	for i, m := range extents {
		switch {
		case m.Size == 0:
			return m, malformed(fmt.Sprintf("%s[%d]", field, i), "the extent %s is empty", show(m))
		case last(m.HostID, m.Size) > maxHostID || last(m.ContainerID, m.Size) > maxHostID:
			return m, malformed(fmt.Sprintf("%s[%d]", field, i), "the extent %s ends above %d, the highest ID that exists", show(m), uint32(maxHostID))
		}
	}
	if v := twice(field, extents); v != nil {
		return specs.LinuxIDMapping{}, v
	}
	whole, ok := join(extents)
	switch {
	case !ok:
		return whole, denied(field, "the mapping is not one contiguous range")
	case whole.ContainerID != 0:
		return whole, denied(field, "the mapping %s does not start at container ID 0", show(whole))
	case whole.Size < MinSize:
		return whole, denied(field, "the mapping %s has fewer than %d IDs", show(whole), MinSize)
	case whole.Size > maxMapping:
		return whole, denied(field, "the mapping %s has more than %d IDs, and takes them from all other containers", show(whole), maxMapping)
	case whole.HostID < MinHostID:
		return whole, denied(field, "the mapping %s reaches host IDs below %d, where the host's own users live", show(whole), MinHostID)
	}
	return whole, nil
}

// twice refuses extents that overlap, on either side.
func twice(field string, extents []specs.LinuxIDMapping) *Violation {
	for i, m := range extents {
		for _, o := range extents[:i] {
			if overlap(m.ContainerID, m.Size, o.ContainerID, o.Size) || overlap(m.HostID, m.Size, o.HostID, o.Size) {
				return malformed(fmt.Sprintf("%s[%d]", field, i), "the extent %s maps IDs twice, as %s does too", show(m), show(o))
			}
		}
	}
	return nil
}

// join makes one extent of adjacent ones, which the kernel treats the same.
func join(extents []specs.LinuxIDMapping) (specs.LinuxIDMapping, bool) {
	sorted := slices.SortedFunc(slices.Values(extents), func(a, b specs.LinuxIDMapping) int {
		return cmp.Compare(a.ContainerID, b.ContainerID)
	})
	whole := sorted[0]
	for _, m := range sorted[1:] {
		if m.ContainerID != whole.ContainerID+whole.Size || m.HostID != whole.HostID+whole.Size {
			return whole, false
		}
		whole.Size += m.Size
	}
	return whole, true
}

func last(first, size uint32) uint64 { return uint64(first) + uint64(size) - 1 }

func overlap(a, asize, b, bsize uint32) bool {
	return uint64(a) <= last(b, bsize) && uint64(b) <= last(a, asize)
}

// show writes an extent as /proc/self/uid_map does.
func show(m specs.LinuxIDMapping) string {
	return fmt.Sprintf("\"%d %d %d\"", m.ContainerID, m.HostID, m.Size)
}
