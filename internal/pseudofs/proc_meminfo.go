package pseudofs

import (
	"bytes"
)

// renderMeminfo renders /proc/meminfo: the lines of the host's text, in their order
// and units, with the container's numbers. See [memoryLines] and [machineLines]; any
// other line shows 0, never what the host has.
func renderMeminfo(host []byte, v *View) []byte {
	m := account(&v.Memory)
	b := make([]byte, 0, len(host)+64)
	for line := range bytes.Lines(host) {
		name, rest, found := bytes.Cut(line, []byte{':'})
		switch {
		case !found:
		case machineLines[string(name)]:
			b = append(b, line...)
		default:
			var size uint64
			if of := memoryLines[string(name)]; of != nil {
				size = of(&m)
			}
			b = appendMemoryLine(b, name, size/1024, bytes.HasSuffix(rest, []byte(" kB\n")))
		}
	}
	return b
}

// appendMemoryLine writes a line like the kernel's: the name in 16 columns, the
// number at the right end of 24.
func appendMemoryLine(b, name []byte, n uint64, kib bool) []byte {
	const nameEnd, numberEnd = 16, 24
	start := len(b)
	b = append(append(b, name...), ':')
	b = appendSpaces(b, max(nameEnd-(len(b)-start), 1))
	b = appendPadded(b, n, numberEnd-(len(b)-start))
	if kib {
		b = append(b, " kB"...)
	}
	return append(b, '\n')
}

// accounted is a Memory whose parts fit into the whole: they are read one after the
// other while the container runs.
type accounted struct {
	*Memory
	used, free  uint64
	reclaimable uint64 // slab that can be given back
	cached      uint64 // files, and shared memory
	swapFree    uint64
}

func account(m *Memory) accounted {
	a := accounted{Memory: m, used: min(m.Used, m.Total)}
	a.free = m.Total - a.used
	a.reclaimable = min(m.Stat["slab_reclaimable"], a.used)
	// Other than the node's count of file pages, "file" is without the swap cache.
	a.cached = min(m.Stat["file"], a.used-a.reclaimable)
	a.swapFree = minus(m.SwapTotal, m.SwapUsed)
	return a
}

// sum adds lines of memory.stat, up to all memory.
func (m *accounted) sum(names ...string) uint64 {
	var n uint64
	for _, name := range names {
		n = plus(n, m.Stat[name])
	}
	return min(n, m.Total)
}

// available is what programs can get without swapping (the kernel's si_mem_available):
// what is free, files and slab that can be dropped.
func (m *accounted) available() uint64 {
	files := m.sum("active_file", "inactive_file")
	return min(plus(m.free, plus(files, m.reclaimable)), m.Total)
}

// committed has no counterpart in a cgroup: what is written to is the least that was
// promised.
func (m *accounted) committed() uint64 {
	return plus(m.sum("anon", "shmem"), m.SwapTotal-m.swapFree)
}

// part makes the function of a line that is a line of memory.stat.
func part(name string) func(m *accounted) uint64 {
	return func(m *accounted) uint64 { return min(m.Stat[name], m.Total) }
}

// parts does so for a sum.
func parts(names ...string) func(m *accounted) uint64 {
	return func(m *accounted) uint64 { return m.sum(names...) }
}

// memoryLines are the lines for which a cgroup has a number, in bytes
// (proc_meminfo(5); Documentation/admin-guide/cgroup-v2.rst, memory.stat).
var memoryLines = map[string]func(m *accounted) uint64{
	"MemTotal":       func(m *accounted) uint64 { return m.Total },
	"MemFree":        func(m *accounted) uint64 { return m.free },
	"MemAvailable":   (*accounted).available,
	"Cached":         func(m *accounted) uint64 { return m.cached },
	"SwapCached":     part("swapcached"),
	"Active":         parts("active_anon", "active_file"),
	"Inactive":       parts("inactive_anon", "inactive_file"),
	"Active(anon)":   part("active_anon"),
	"Inactive(anon)": part("inactive_anon"),
	"Active(file)":   part("active_file"),
	"Inactive(file)": part("inactive_file"),
	"Unevictable":    part("unevictable"),
	"SwapTotal":      func(m *accounted) uint64 { return m.SwapTotal },
	"SwapFree":       func(m *accounted) uint64 { return m.swapFree },
	"Zswap":          part("zswap"),
	"Zswapped":       func(m *accounted) uint64 { return min(m.Stat["zswapped"], m.SwapTotal) },
	"Dirty":          part("file_dirty"),
	"Writeback":      part("file_writeback"),
	"AnonPages":      part("anon"),
	"Mapped":         part("file_mapped"),
	"Shmem":          part("shmem"),
	"KReclaimable":   func(m *accounted) uint64 { return m.reclaimable },
	"Slab":           func(m *accounted) uint64 { return min(plus(m.reclaimable, m.Stat["slab_unreclaimable"]), m.Total) },
	"SReclaimable":   func(m *accounted) uint64 { return m.reclaimable },
	"SUnreclaim":     part("slab_unreclaimable"),
	"KernelStack":    part("kernel_stack"),
	"PageTables":     part("pagetables"),
	"SecPageTables":  part("sec_pagetables"),
	"CommitLimit":    func(m *accounted) uint64 { return plus(m.Total/2, m.SwapTotal) }, // vm.overcommit_ratio is 50
	"Committed_AS":   (*accounted).committed,
	"VmallocUsed":    part("vmalloc"),
	"Percpu":         part("percpu"),
	"AnonHugePages":  part("anon_thp"),
	"ShmemHugePages": part("shmem_thp"),
	"FileHugePages":  part("file_thp"),
}

// machineLines stay as the host shows them: sizes that the processor and the kernel's
// layout fix. DirectMap* are not among them, they add up to the host's memory.
var machineLines = map[string]bool{
	"Hugepagesize": true,
	"VmallocTotal": true,
}
