package pseudofs

import (
	"bytes"
	"math"
	"slices"
	"time"
)

// cgroupV1 reads the files of v1's controllers
// (Documentation/admin-guide/cgroup-v1).
type cgroupV1 struct {
	dirs *cgroupDirs
	last map[int]CPUTime // what perCPU gave
}

func (g *cgroupV1) cpus() []int {
	return parseCPUs(g.dirs.nearest("cpuset", "cpuset.effective_cpus"))
}

func (g *cgroupV1) quota() int {
	n := 0
	for up := range g.dirs.above("cpu") + 1 {
		quota, ok := parseCount(g.dirs.readAbove("cpu", up, "cpu.cfs_quota_us")) // -1: none
		if !ok {
			continue
		}
		period, _ := parseCount(g.dirs.readAbove("cpu", up, "cpu.cfs_period_us"))
		n = leastQuota(n, quotaCPUs(quota, period))
	}
	return n
}

// cpu has the exact time from cpuacct.usage; how it divides into user and system
// is sampled by the timer interrupt (cpuacct.stat, in ticks).
func (g *cgroupV1) cpu() CPUTime {
	total := nanoseconds(g.dirs.number("cpuacct", "cpuacct.usage"))
	var sampled CPUTime
	eachKey(g.dirs.read("cpuacct", "cpuacct.stat"), func(key []byte, n uint64) {
		switch string(key) {
		case "user":
			sampled.User = nanoseconds(n)
		case "system":
			sampled.System = nanoseconds(n)
		}
	})
	return divide(CPUTime{}, sampled, total)
}

// perCPU does so for each CPU: the exact time is in cpuacct.usage_percpu, what was
// sampled in cpuacct.usage_all, both in the order of the possible CPUs.
func (g *cgroupV1) perCPU() map[int]CPUTime {
	var exact []time.Duration
	for field := range bytes.FieldsSeq(g.dirs.read("cpuacct", "cpuacct.usage_percpu")) {
		n, _ := parseCount(field)
		exact = append(exact, nanoseconds(n))
	}
	sampled := g.dirs.read("cpuacct", "cpuacct.usage_all")
	if len(exact) == 0 || sampled == nil {
		return nil
	}
	used := make(map[int]CPUTime, len(exact))
	row := -1 // the first line is a header
	for line := range bytes.Lines(sampled) {
		f := bytes.Fields(line)
		if row >= 0 && row < len(exact) && len(f) == 3 {
			cpu, _ := parseCount(f[0])
			user, _ := parseCount(f[1])
			system, _ := parseCount(f[2])
			n := int(min(cpu, maxCPU))
			used[n] = divide(g.last[n], CPUTime{nanoseconds(user), nanoseconds(system)}, exact[row])
		}
		row++
	}
	g.last = used
	return used
}

// v1Names are lines of v1's memory.stat that v2 has under another name. Others are
// the same after "total_".
var v1Names = map[string]string{
	"cache":       "file",
	"rss":         "anon",
	"rss_huge":    "anon_thp",
	"mapped_file": "file_mapped",
	"dirty":       "file_dirty",
	"writeback":   "file_writeback",
}

// memory takes hierarchical numbers, and limits: those that memory.stat names are
// the smallest up to the root of the hierarchy, what cannot be seen from here
// included.
func (g *cgroupV1) memory(host Memory) Memory {
	m := Memory{Total: host.Total, SwapTotal: host.SwapTotal, Stat: make(map[string]uint64, 32)}
	memory, both := uint64(math.MaxUint64), uint64(math.MaxUint64)
	eachKey(g.dirs.read("memory", "memory.stat"), func(key []byte, n uint64) {
		switch string(key) {
		case "hierarchical_memory_limit":
			memory = n
		case "hierarchical_memsw_limit":
			both = n
		}
		name, ok := bytes.CutPrefix(key, []byte("total_"))
		if !ok || n == 0 {
			return
		}
		if v2, ok := v1Names[string(name)]; ok {
			m.Stat[v2] = n
		} else {
			m.Stat[g.dirs.intern(name)] = n
		}
	})
	if n := g.dirs.number("memory", "memory.kmem.usage_in_bytes"); n > 0 {
		m.Stat["kernel"] = n
	}
	m.Used = g.dirs.number("memory", "memory.usage_in_bytes")
	m.Total = min(m.Total, memory)
	if host.SwapTotal > 0 {
		m.SwapUsed = m.Stat["swap"]
		m.SwapTotal = g.swap(m, host, memory, both)
	}
	return m
}

// swap is what the cgroup may swap. v1 limits memory and swap together, and a
// swappiness of 0 keeps it from swapping on its own account.
func (g *cgroupV1) swap(m, host Memory, memory, both uint64) uint64 {
	total := host.SwapTotal
	if both < host.Total+host.SwapTotal {
		total = min(total, minus(both, min(memory, host.Total)))
	}
	if n, ok := parseCount(g.dirs.read("memory", "memory.swappiness")); ok && n == 0 {
		total = 0
	}
	return max(total, min(m.SwapUsed, host.SwapTotal))
}

// devices reads the counters of the throttling, which count without a limit, too;
// from Linux 6.9 on, only on a disk for which some cgroup has set a limit.
func (g *cgroupV1) devices() []DeviceIO {
	var devices []DeviceIO
	for _, name := range []string{"blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced"} {
		text := g.dirs.read("blkio", name+"_recursive")
		if text == nil { // before Linux 4.20
			text = g.dirs.read("blkio", name)
		}
		operations := name == "blkio.throttle.io_serviced"
		for line := range bytes.Lines(text) {
			devices = addBlkio(devices, line, operations)
		}
	}
	return slices.DeleteFunc(devices, unused)
}

// addBlkio adds a line "<major>:<minor> <operation> <number>".
func addBlkio(devices []DeviceIO, line []byte, operations bool) []DeviceIO {
	f := bytes.Fields(line)
	if len(f) != 3 {
		return devices // the sum
	}
	id, ok := parseDevice(f[0])
	n, ok2 := parseCount(f[2])
	if !ok || !ok2 {
		return devices
	}
	devices, d := addDevice(devices, id)
	var size, count *uint64
	switch string(f[1]) {
	case "Read":
		size, count = &d.ReadBytes, &d.Reads
	case "Write":
		size, count = &d.WriteBytes, &d.Writes
	case "Discard":
		size, count = &d.DiscardBytes, &d.DiscardOps
	default:
		return devices // a sum, or the same by another criterion
	}
	if operations {
		*count = n
	} else {
		*size = n
	}
	return devices
}

// pressure is in the unified hierarchy only.
func (g *cgroupV1) pressure(resource string) []byte {
	if !g.unified() {
		return nil
	}
	return g.dirs.read("", resource+".pressure")
}

// unified tells whether the container has a cgroup of its own in the unified
// hierarchy, beside those of v1. In its root are all processes of the host.
func (g *cgroupV1) unified() bool { return g.dirs.above("") > 0 }

func (g *cgroupV1) threads() int {
	return int(min(g.dirs.number("pids", "pids.current"), math.MaxInt32))
}

// lists prefers the unified hierarchy, which lists threads one by one, and then
// those in which a container makes few cgroups.
func (g *cgroupV1) lists() lists {
	if g.unified() && bytes.Contains(g.dirs.read("", "cgroup.events"), []byte("populated 1")) {
		return lists{dir: g.dirs.byName[""].file, name: "cgroup.threads"}
	}
	for _, controller := range []string{"cpuset", "cpuacct", "cpu", "pids", "blkio", "memory"} {
		if dir := g.dirs.byName[controller]; dir != nil {
			return lists{dir: dir.file, name: "tasks", whole: true}
		}
	}
	return lists{}
}

func (g *cgroupV1) close() { g.dirs.close() }
