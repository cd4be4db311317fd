package pseudofs

import (
	"bytes"
	"math"
	"slices"
)

// cgroupV2 reads the files of the unified hierarchy
// (Documentation/admin-guide/cgroup-v2.rst).
type cgroupV2 struct{ dirs *cgroupDirs }

func (g *cgroupV2) cpus() []int {
	return parseCPUs(g.dirs.nearest("", "cpuset.cpus.effective"))
}

func (g *cgroupV2) quota() int {
	n := 0
	for up := range g.dirs.above("") + 1 {
		if quota, period, ok := parsePair(g.dirs.readAbove("", up, "cpu.max")); ok {
			n = leastQuota(n, quotaCPUs(quota, period))
		}
	}
	return n
}

func (g *cgroupV2) cpu() CPUTime {
	var used CPUTime
	eachKey(g.dirs.read("", "cpu.stat"), func(key []byte, n uint64) {
		switch string(key) {
		case "user_usec":
			used.User = microseconds(n)
		case "system_usec":
			used.System = microseconds(n)
		}
	})
	return used
}

func (g *cgroupV2) perCPU() map[int]CPUTime { return nil }

// memory takes the smallest limits of the cgroup and those above.
func (g *cgroupV2) memory(host Memory) Memory {
	m := Memory{Total: host.Total, SwapTotal: host.SwapTotal, Stat: make(map[string]uint64, 48)}
	for up := range g.dirs.above("") + 1 {
		m.Total = min(m.Total, parseLimit(g.dirs.readAbove("", up, "memory.max")))
		if m.SwapTotal > 0 {
			m.SwapTotal = min(m.SwapTotal, parseLimit(g.dirs.readAbove("", up, "memory.swap.max")))
		}
	}
	m.Used = g.dirs.number("", "memory.current")
	if m.SwapTotal > 0 {
		m.SwapUsed = g.dirs.number("", "memory.swap.current")
	}
	eachKey(g.dirs.read("", "memory.stat"), func(key []byte, n uint64) {
		if n > 0 {
			m.Stat[g.dirs.intern(key)] = n
		}
	})
	return m
}

func (g *cgroupV2) devices() []DeviceIO {
	var devices []DeviceIO
	for line := range bytes.Lines(g.dirs.read("", "io.stat")) {
		devices = addIO(devices, line)
	}
	return slices.DeleteFunc(devices, unused)
}

// addIO adds a line "<major>:<minor> rbytes=… wbytes=… rios=… wios=… dbytes=… dios=…".
func addIO(devices []DeviceIO, line []byte) []DeviceIO {
	number, rest, _ := bytes.Cut(line, []byte{' '})
	id, ok := parseDevice(number)
	if !ok {
		return devices
	}
	devices, d := addDevice(devices, id)
	for field := range bytes.FieldsSeq(rest) {
		key, value, _ := bytes.Cut(field, []byte{'='})
		n, _ := parseCount(value)
		switch string(key) {
		case "rbytes":
			d.ReadBytes = n
		case "wbytes":
			d.WriteBytes = n
		case "dbytes":
			d.DiscardBytes = n
		case "rios":
			d.Reads = n
		case "wios":
			d.Writes = n
		case "dios":
			d.DiscardOps = n
		}
	}
	return devices
}

func (g *cgroupV2) pressure(resource string) []byte {
	return g.dirs.read("", resource+".pressure")
}

func (g *cgroupV2) threads() int {
	return int(min(g.dirs.number("", "pids.current"), math.MaxInt32))
}

func (g *cgroupV2) lists() lists {
	dir := g.dirs.byName[""]
	if dir == nil {
		return lists{}
	}
	return lists{dir: dir.file, name: "cgroup.threads"}
}

func (g *cgroupV2) close() { g.dirs.close() }
