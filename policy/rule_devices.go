package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkDeviceRules wants rules that can be read; see [access] for what they
// are read for. They never reach runc: the decision's own do.
func checkDeviceRules(r *request, d *Decision) *Violation {
	for i, rule := range clientRules(r.spec) {
		field := fmt.Sprintf("linux.resources.devices[%d]", i)
		if !slices.Contains([]string{"", "a", "b", "c"}, rule.Type) {
			return malformed(field+".type", "%q is no type of a device rule", rule.Type)
		}
		if rule.Access == "" || strings.Trim(rule.Access, "rwm") != "" {
			return malformed(field+".access", "%q is no access to a device", rule.Access)
		}
		d.Bulk = d.Bulk || isBulk(rule)
	}
	return nil
}

func clientRules(spec *specs.Spec) []specs.LinuxDeviceCgroup {
	if spec.Linux.Resources == nil {
		return nil
	}
	return spec.Linux.Resources.Devices
}

// checkDevices compares what is asked for with what may be given, by type and
// numbers, never by name. What a bulk request holds in excess is left out.
func checkDevices(r *request, d *Decision) *Violation {
	for i, dev := range r.spec.Linux.Devices {
		field := fmt.Sprintf("linux.devices[%d]", i)
		switch {
		case !slices.Contains([]string{"c", "u", "b", "p"}, dev.Type):
			return malformed(field+".type", "%q is no type of a device", dev.Type)
		case d.Bulk || r.allows(idOf(dev)) || provided[idOf(dev)] == path.Clean(dev.Path):
		default:
			return notAllowed(field, dev.Path, idOf(dev))
		}
	}
	for i, m := range r.spec.Mounts {
		s := r.facts.Sources[i]
		if IsBind(m) && s.Kind == KindDevice && !r.allows(s.Node.id()) {
			return notAllowed(fmt.Sprintf("mounts[%d].source", i), m.Source, s.Node.id())
		}
	}
	return nil
}

func notAllowed(field, name string, dev id) *Violation {
	return denied(field, "the device %q (%s %d:%d) cannot be given to a container: it is no standard device, and no device of this host that devices.allow matches has these numbers",
		name, dev.kind, dev.major, dev.minor)
}

// allows tells whether a container may have a node of the device.
func (r *request) allows(dev id) bool {
	return slices.ContainsFunc(standard, func(s Device) bool { return s.id() == dev }) ||
		slices.ContainsFunc(r.facts.Devices, func(n Node) bool { return n.id() == dev })
}

// idOf reads "u" as the "c" that it is on Linux (mknod(1)).
func idOf(dev specs.LinuxDevice) id {
	if dev.Type == "u" {
		return id{"c", dev.Major, dev.Minor}
	}
	return id{dev.Type, dev.Major, dev.Minor}
}

// checkDevicePaths wants a place for every node that is to be made, where it
// hides nothing that the runtime puts into /dev itself.
func checkDevicePaths(r *request, _ *Decision) *Violation {
	for i, dev := range r.spec.Linux.Devices {
		if !r.allows(idOf(dev)) {
			continue
		}
		field := fmt.Sprintf("linux.devices[%d].path", i)
		clean := path.Clean(dev.Path)
		switch {
		case !path.IsAbs(dev.Path):
			return malformed(field, "the path %q is not absolute", dev.Path)
		case hasDotDot(dev.Path):
			return malformed(field, "the path %q climbs with \"..\"", dev.Path)
		case hasNull(dev.Path):
			return malformed(field, "the path %q holds a null byte", dev.Path)
		case below("/dev", clean):
			return malformed(field, "the path %q is a directory that the container needs", dev.Path)
		}
		if over := taken(r.spec.Linux.Devices[:i], clean); over != "" {
			return denied(field, "the path %q belongs to %s", dev.Path, over)
		}
	}
	return nil
}

// taken names what a new node would be on, or below: a link of ours, or
// another device.
func taken(earlier []specs.LinuxDevice, clean string) string {
	for _, l := range Links {
		if below(clean, l.Path) {
			return "the link " + l.Path
		}
	}
	for _, s := range standard {
		if clean != s.Path && below(clean, s.Path) {
			return "the device " + s.Path
		}
	}
	for _, e := range earlier {
		if p := path.Clean(e.Path); clean != p && below(clean, p) {
			return fmt.Sprintf("the device %q", p)
		}
	}
	return ""
}
