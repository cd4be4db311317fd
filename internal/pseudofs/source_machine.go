package pseudofs

import (
	"bytes"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// hostMachine is what a container is cut out of.
type hostMachine struct {
	proc   string // where its procfs is
	online string // file with its CPUs

	disks  map[device]disk
	listed time.Duration // when they were, on the clock of the source
}

// device is the number of a block device.
type device struct{ major, minor uint32 }

// disk is its name, and its place in the host's list.
type disk struct {
	place int
	name  string
}

func newMachine() hostMachine {
	return hostMachine{proc: "/proc", online: "/sys/devices/system/cpu/online"}
}

// cpus are the host's that are online.
func (m *hostMachine) cpus() []int {
	text, _ := os.ReadFile(m.online)
	if cpus := parseCPUs(text); len(cpus) > 0 {
		return cpus
	}
	cpus := make([]int, runtime.NumCPU())
	for i := range cpus {
		cpus[i] = i
	}
	return cpus
}

// memory is the host's size, without any use. sysinfo(2).
func (m *hostMachine) memory() Memory {
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) != nil {
		return Memory{}
	}
	unit := max(uint64(si.Unit), 1)
	return Memory{Total: uint64(si.Totalram) * unit, SwapTotal: uint64(si.Totalswap) * unit}
}

// How old the list of disks may get, and how old it must be before an unknown
// device is looked for in a new one.
const (
	disksMax = time.Minute
	disksMin = time.Second
)

// name gives devices the names that the host has for them, and its order. One
// that the host does not list is dropped: it is gone.
func (m *hostMachine) name(devices []DeviceIO, now time.Duration) []DeviceIO {
	unknown := func(d DeviceIO) bool {
		_, ok := m.disks[device{d.Major, d.Minor}]
		return !ok
	}
	age := now - m.listed
	if m.disks == nil || age > disksMax || age > disksMin && slices.ContainsFunc(devices, unknown) {
		text, _ := os.ReadFile(m.proc + "/diskstats")
		m.disks, m.listed = parseDisks(text), now
	}
	devices = slices.DeleteFunc(devices, unknown)
	for i := range devices {
		d := &devices[i]
		d.Name = m.disks[device{d.Major, d.Minor}].name
	}
	slices.SortFunc(devices, func(a, b DeviceIO) int {
		return m.disks[device{a.Major, a.Minor}].place - m.disks[device{b.Major, b.Minor}].place
	})
	return devices
}

// parseDisks reads /proc/diskstats.
func parseDisks(text []byte) map[device]disk {
	disks := map[device]disk{}
	for line := range bytes.Lines(text) {
		f := bytes.Fields(line)
		if len(f) < 3 {
			continue
		}
		major, ok1 := parseCount(f[0])
		minor, ok2 := parseCount(f[1])
		if ok1 && ok2 {
			disks[device{uint32(major), uint32(minor)}] = disk{len(disks), string(f[2])}
		}
	}
	return disks
}
