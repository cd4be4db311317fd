package pseudofs

import (
	"math"
	"slices"
	"time"
)

// cgroup reads what the kernel accounts and limits for a container, cgroups that
// it made itself included. There are two of it: [cgroupV1] and [cgroupV2]. A file
// that is not there, or not any more, gives zero.
type cgroup interface {
	// cpus are the CPUs that it may use; nil: the kernel does not tell.
	cpus() []int
	// quota is how many CPUs are worth the least quota of it and the cgroups
	// above, rounded up; 0: there is none.
	quota() int
	// cpu is the time that it used on all CPUs.
	cpu() CPUTime
	// perCPU is the same by CPU; nil: it is not accounted.
	perCPU() map[int]CPUTime
	// memory is its limits, which host has where there are none, and its use.
	memory(host Memory) Memory
	// devices are the block devices that it used, without names.
	devices() []DeviceIO
	// pressure is a file of Documentation/accounting/psi.rst, for "cpu", "io" or
	// "memory"; nil: there is none.
	pressure(resource string) []byte
	// threads is how many there are; 0: it is not accounted.
	threads() int
	// lists is where the cgroup's threads are listed.
	lists() lists
	close()
}

// openCgroup opens the directories of a container: below the names of v1's
// controllers, or below "" for v2. Where there are both (hybrid), the controllers
// are v1's.
func openCgroup(dirs map[string]string) cgroup {
	opened := newCgroupDirs(dirs)
	for _, controller := range []string{"memory", "cpu", "cpuacct", "cpuset", "blkio", "pids"} {
		if opened.byName[controller] != nil {
			return &cgroupV1{dirs: opened}
		}
	}
	return &cgroupV2{dirs: opened}
}

// narrow narrows a list of CPUs to the first n, if there is a quota; at least one
// is left. A quota says how many CPUs, and not which.
func narrow(cpus []int, quota int) (shown []int, narrowed bool) {
	if quota <= 0 || quota >= len(cpus) {
		return cpus, false
	}
	return cpus[:quota:quota], true
}

// quotaCPUs is how many CPUs a quota is worth, rounded up; 0: none.
func quotaCPUs(quota, period uint64) int {
	if quota == 0 || period == 0 {
		return 0
	}
	return int(min((quota-1)/period+1, math.MaxInt32))
}

// leastQuota is the smaller one of two quotas, where 0 is none.
func leastQuota(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// addDevice gives the entry of a device, a new one if there is none.
func addDevice(devices []DeviceIO, d device) ([]DeviceIO, *DeviceIO) {
	i := slices.IndexFunc(devices, func(x DeviceIO) bool { return x.Major == d.major && x.Minor == d.minor })
	if i < 0 {
		i = len(devices)
		devices = append(devices, DeviceIO{Major: d.major, Minor: d.minor})
	}
	return devices, &devices[i]
}

// unused tells whether nothing was done with a device.
func unused(d DeviceIO) bool {
	return d.Reads == 0 && d.Writes == 0 && d.DiscardOps == 0 &&
		d.ReadBytes == 0 && d.WriteBytes == 0 && d.DiscardBytes == 0
}

// microseconds is n of them, as many as fit.
func microseconds(n uint64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond
}

// nanoseconds is n of them, as many as fit.
func nanoseconds(n uint64) time.Duration { return time.Duration(min(n, math.MaxInt64)) }
