package policy

import (
	"maps"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// pingRange is the range of groups that may open ICMP sockets, icmp(7).
const pingRange = "net.ipv4.ping_group_range"

// rewriteSysctls clamps the one setting that holds container IDs: engines set
// it to 0 2147483647, and the kernel refuses an ID that the user namespace
// does not map (EINVAL).
func rewriteSysctls(spec *specs.Spec, r *rewrite) {
	sysctls := maps.Clone(spec.Linux.Sysctl)
	for key, value := range sysctls {
		if strings.ReplaceAll(key, "/", ".") == pingRange {
			sysctls[key] = clampRange(value, r.grant.Size)
		}
	}
	spec.Linux.Sysctl = sysctls
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
