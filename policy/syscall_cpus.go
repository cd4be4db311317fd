package policy

import (
	"math"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultPeriod is what the kernel takes where a spec has a quota only, in microseconds
// (Documentation/scheduler/sched-bwc.rst).
const defaultPeriod = 100_000

// narrowed tells whether a quota leaves the container less processor time than the
// processors have that it may run on. Then it sees fewer of them. Where their number is not
// known, any quota counts.
func narrowed(facts Facts, spec *specs.Spec) bool {
	if spec.Linux.Resources == nil {
		return false
	}
	quota, period, cpus := processorLimits(spec.Linux.Resources)
	if quota <= 0 {
		return false
	}
	if period == 0 {
		period = defaultPeriod
	}
	whole := uint64(quota) / period
	if uint64(quota)%period != 0 {
		whole++
	}
	visible := uint64(max(facts.CPUs, 0))
	if n := countCPUs(cpus); n > 0 && (visible == 0 || n < visible) {
		visible = n
	}
	return visible == 0 || whole < visible
}

// processorLimits are those of a spec: what stands in unified counts, as it does for runc.
// No quota is 0 or less.
func processorLimits(r *specs.LinuxResources) (quota int64, period uint64, cpus string) {
	if c := r.CPU; c != nil {
		if c.Quota != nil {
			quota = *c.Quota
		}
		if c.Period != nil {
			period = *c.Period
		}
		cpus = c.Cpus
	}
	if fields := strings.Fields(r.Unified["cpu.max"]); len(fields) > 0 {
		quota, _ = strconv.ParseInt(fields[0], 10, 64) // "max" is none
		if period = 0; len(fields) > 1 {
			period, _ = strconv.ParseUint(fields[1], 10, 64)
		}
	}
	if list := r.Unified["cpuset.cpus"]; list != "" {
		cpus = list
	}
	return quota, period, cpus
}

// countCPUs is how many processors a list as "0-3,7" has, cpuset(7); 0 if it is none.
func countCPUs(list string) (n uint64) {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		low, err := strconv.ParseUint(from, 10, 31)
		if err != nil {
			return 0
		}
		high, err := strconv.ParseUint(to, 10, 31)
		if err != nil || high < low {
			return 0
		}
		n += high - low + 1
	}
	return min(n, math.MaxInt32)
}
