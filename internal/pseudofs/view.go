package pseudofs

import "time"

// View is what the files of a container are rendered from: its numbers at one moment.
// What a file does not need is zero.
type View struct {
	Wall   time.Time     // time of day
	Uptime time.Duration // since the container's start

	CPUs    []int             // numbers of the CPUs that it may use, ascending, never empty
	CPU     CPUTime           // used since its start, on all CPUs
	PerCPU  map[int]CPUTime   // the same by CPU; nil where the kernel does not account it (cgroup v2)
	Load    [3]float64        // decayed over 1, 5 and 15 minutes
	Tasks   Tasks             // threads
	Memory  Memory            // bytes
	Devices []DeviceIO        // block devices that it used, in the order of the host's list
	PSI     map[string][]byte // text of the cgroup's pressure file for "cpu", "io", "memory"; nil without (cgroup v1)
}

// CPUTime is processor time.
type CPUTime struct {
	User, System time.Duration // in programs, and in the kernel for them
}

// Tasks counts threads of all processes of a container.
type Tasks struct {
	Total, Running, Blocked int // all of them, those in state R, and in D
	LastPID                 int // the highest process number in the container's pid namespace
}

// Memory is in bytes. A limit of the host's size means none.
type Memory struct {
	Total     uint64            // smallest limit of the cgroup and its ancestors, or the host's
	Used      uint64            // charged, page cache included
	SwapTotal uint64            // what it may swap; 0: nothing
	SwapUsed  uint64            // of that
	Stat      map[string]uint64 // memory.stat, hierarchical, under v2's names ("anon", "file", "inactive_file", …)
}

// DeviceIO is what a container did with a block device.
type DeviceIO struct {
	Major, Minor             uint32 // numbers of the device
	Name                     string // as the host's /proc/diskstats has it
	Reads, Writes            uint64 // operations
	ReadBytes, WriteBytes    uint64 // bytes
	DiscardOps, DiscardBytes uint64 // operations, bytes
}
