package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// pingRange is the range of groups that may open ICMP sockets, icmp(7).
const pingRange = "net.ipv4.ping_group_range"

// rewriteSysctls clamps the one setting that holds container IDs: engines set
// it to 0 2147483647, and the kernel refuses an ID that the user namespace
// does not map (EINVAL). What is not runc's to write is taken out.
func rewriteSysctls(spec *specs.Spec, r *rewrite) {
	sysctls := maps.Clone(spec.Linux.Sysctl)
	for key, value := range sysctls {
		switch name, _ := settingName(key); {
		case r.decision.writes(name):
			delete(sysctls, key)
		case name == pingRange:
			sysctls[key] = clampRange(value, r.grant.Size)
		}
	}
	spec.Linux.Sysctl = sysctls
}

// Sysctls are the settings of a spec that [Check] has passed which the caller has to
// write, in the container's network namespace: by paths below /proc/sys, with the
// host's IDs in them. In another user namespace, runc has no right to.
func Sysctls(spec *specs.Spec, d Decision, g Grant) map[string]string {
	var out map[string]string
	for key, value := range spec.Linux.Sysctl {
		name, _ := settingName(key)
		if !d.writes(name) {
			continue
		}
		if name == pingRange {
			value = shiftRange(clampRange(value, g.Size), g.Base)
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[strings.ReplaceAll(name, ".", "/")] = value
	}
	return out
}

// writes tells whether a setting is the caller's to write; the host's are nobody's.
func (d Decision) writes(setting string) bool {
	const network = specs.NetworkNamespace
	return namespaceOf(setting) == network && d.Borrowed && !slices.Contains(d.Host, network)
}

// clampRange leaves a value that is not two numbers to the kernel, and one
// without any ID in reach becomes the kernel's way to say "nobody".
func clampRange(value string, size uint32) string {
	fields := strings.Fields(value)
	if len(fields) != 2 {
		return value
	}
	low, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil {
		return value
	}
	high, err := strconv.ParseUint(fields[1], 10, 32)
	if err != nil {
		return value
	}
	if low >= uint64(size) {
		return "1 0"
	}
	return strconv.FormatUint(low, 10) + " " + strconv.FormatUint(min(high, uint64(size)-1), 10)
}

// shiftRange makes host IDs of a range of container IDs that is clamped; one that
// holds nobody stays.
func shiftRange(value string, base uint32) string {
	var low, high uint32
	if n, err := fmt.Sscanf(value, "%d %d", &low, &high); err != nil || n != 2 || low > high {
		return value
	}
	return fmt.Sprintf("%d %d", base+low, base+high)
}
