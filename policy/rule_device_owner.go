package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkDeviceOwners wants owners that exist in the container, and then has
// all that it takes to write the nodes and the device rules down.
func checkDeviceOwners(r *request, d *Decision) *Violation {
	d.Devices = slices.Clone(standard)
	for i, dev := range r.spec.Linux.Devices {
		if !r.allows(idOf(dev)) {
			continue
		}
		node := deviceOf(dev)
		switch {
		case node.UID >= d.Size && !d.Bulk:
			return badID(fmt.Sprintf("linux.devices[%d].uid", i), "user", node.UID, d.Size)
		case node.GID >= d.Size && !d.Bulk:
			return badID(fmt.Sprintf("linux.devices[%d].gid", i), "group", node.GID, d.Size)
		}
		d.add(node.within(d.Size))
	}
	for i, m := range r.spec.Mounts {
		if s := r.facts.Sources[i]; IsBind(m) && s.Kind == KindDevice {
			if d.Nodes == nil {
				d.Nodes = map[int]Device{}
			}
			d.Nodes[i] = deviceAt(m.Destination, s.Node).within(d.Size)
		}
	}
	d.Rules = r.deviceRules(d)
	return nil
}

// deviceOf reads an entry of the spec as runc does.
func deviceOf(dev specs.LinuxDevice) Device {
	k := idOf(dev)
	node := Device{Path: path.Clean(dev.Path), Type: k.kind, Major: k.major, Minor: k.minor, Mode: 0o666}
	if dev.FileMode != nil {
		// Engines put the whole st_mode there.
		node.Mode = uint32(*dev.FileMode) & 0o777
	}
	if dev.UID != nil {
		node.UID = *dev.UID
	}
	if dev.GID != nil {
		node.GID = *dev.GID
	}
	return node
}

// deviceAt makes a node like one of the host.
func deviceAt(name string, n Node) Device {
	return Device{
		Path: path.Clean(name), Type: n.Type, Major: n.Major, Minor: n.Minor,
		Mode: n.Mode & 0o777, UID: n.UID, GID: n.GID,
	}
}

// within gives a node to the container's root where its owner does not exist
// in the container.
func (d Device) within(size uint32) Device {
	if d.UID >= size {
		d.UID = 0
	}
	if d.GID >= size {
		d.GID = 0
	}
	return d
}

// add notes a node to make; of two with one path the later one holds.
func (d *Decision) add(node Device) {
	i := slices.IndexFunc(d.Devices, func(o Device) bool { return o.Path == node.Path })
	if i < 0 {
		d.Devices = append(d.Devices, node)
		return
	}
	d.Devices[i] = node
}

// deviceRules writes the device rules anew: nothing, then the standard devices
// and terminals, then what the policy allows and the client opened. So it
// makes no difference which default a cgroup has (all in v1, nothing in v2),
// and no rule of the client can open what the policy does not list.
func (r *request) deviceRules(d *Decision) []specs.LinuxDeviceCgroup {
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Type: "a", Access: "rwm"}}
	for _, s := range standard {
		rules = append(rules, allow(s.id(), "rwm"))
	}
	rules = append(rules, allow(id{"c", 5, 2}, "rwm"), allow(id{"c", 136, wildcard}, "rwm"))
	seen := map[id]bool{}
	for _, s := range standard {
		seen[s.id()] = true
	}
	client := slices.Concat(clientRules(r.spec), r.bound(d))
	for _, n := range r.facts.Devices {
		open := access(client, n.id())
		if seen[n.id()] || !strings.ContainsAny(open, "rw") {
			continue
		}
		seen[n.id()] = true
		rules = append(rules, allow(n.id(), open))
	}
	return rules
}

// bound gives the rules that follow from binding a device: reading, and
// writing unless the bind is read-only. To runc a bind says nothing about
// access, and the node would be dead unless the client wrote a rule as well.
func (r *request) bound(d *Decision) []specs.LinuxDeviceCgroup {
	var rules []specs.LinuxDeviceCgroup
	for i, m := range r.spec.Mounts {
		node, ok := d.Nodes[i]
		switch {
		case !ok:
		case ReadOnly(m):
			rules = append(rules, allow(node.id(), "r"))
		default:
			rules = append(rules, allow(node.id(), "rw"))
		}
	}
	return rules
}
