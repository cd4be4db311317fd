package pseudofs

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// FuzzMeminfo asks, of whatever numbers: the lines are the host's, in their order,
// and no part is larger than the whole.
func FuzzMeminfo(f *testing.F) {
	for _, dir := range renderCases(f) {
		host, err := os.ReadFile(filepath.Join(dir, "host/proc/meminfo"))
		if err == nil {
			f.Add(host, uint64(256<<20), uint64(100<<20), uint64(64<<20), uint64(1<<20), uint64(7))
		}
	}
	f.Add([]byte("MemTotal: 5 kB\nno colon\n:\nNew(thing):   7\n"), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, host []byte, total, used, swap, swapUsed, seed uint64) {
		v := &View{Memory: Memory{Total: total, Used: used, SwapTotal: swap, SwapUsed: swapUsed, Stat: someStat(seed)}}
		checkMeminfo(t, host, v, renderMeminfo(host, v))
	})
}

// statLines are the lines of memory.stat that meminfo is made from.
var statLines = strings.Fields(`anon file kernel_stack pagetables sec_pagetables percpu vmalloc shmem zswap zswapped
	file_mapped file_dirty file_writeback swapcached anon_thp file_thp shmem_thp inactive_anon active_anon
	inactive_file active_file unevictable slab_reclaimable slab_unreclaimable`)

// someStat makes a memory.stat: small, plausible and absurd numbers, and lines that
// are missing.
func someStat(seed uint64) map[string]uint64 {
	r := rand.New(rand.NewPCG(seed, 0))
	stat := map[string]uint64{}
	for _, name := range statLines {
		if r.IntN(8) > 0 {
			stat[name] = r.Uint64() >> r.IntN(64)
		}
	}
	return stat
}

func checkMeminfo(t *testing.T, host []byte, v *View, got []byte) {
	t.Helper()
	var names []string
	for line := range bytes.Lines(host) {
		if name, _, found := bytes.Cut(line, []byte{':'}); found {
			names = append(names, string(name))
		}
	}
	kib := map[string]uint64{}
	n := 0
	for line := range bytes.Lines(got) {
		name, rest, found := strings.Cut(string(line), ":")
		if !found || n >= len(names) || names[n] != name {
			t.Fatalf("line %d is %q, but the host has %q", n, line, names)
		}
		n++
		if machineLines[name] {
			continue
		}
		number, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, " kB\n")), 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if memoryLines[name] == nil && number != 0 {
			t.Errorf("%q is of the host", line)
		}
		kib[name] = number
	}
	if n != len(names) {
		t.Errorf("%d lines, the host has %d", n, len(names))
	}
	total, all := v.Memory.Total/1024, has(names, "MemTotal", "MemFree", "MemAvailable", "Cached", "SReclaimable", "SwapTotal", "SwapFree")
	for name, number := range kib {
		if !strings.Contains(name, "Swap") && !strings.Contains(name, "Commit") && name != "Zswapped" && number > total {
			t.Errorf("%s is %d of %d", name, number, total)
		}
	}
	if all && (kib["MemFree"] > kib["MemAvailable"] || kib["SwapFree"] > kib["SwapTotal"] ||
		kib["MemFree"]+kib["Cached"]+kib["SReclaimable"] > kib["MemTotal"]) {
		t.Errorf("it does not add up: %v", kib)
	}
}

func has(names []string, wanted ...string) bool {
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// TestPlausibleMemory does what FuzzMeminfo does, for many containers that run while
// their numbers are read.
func TestPlausibleMemory(t *testing.T) {
	host := readGolden(t, "testdata/render/6.12-8cpu/host/proc/meminfo")
	r := rand.New(rand.NewPCG(1, 2))
	for seed := range uint64(2000) {
		total := r.Uint64() >> (20 + r.IntN(20))
		v := &View{Memory: Memory{Total: total, Used: r.Uint64N(total + total/4 + 1), SwapTotal: r.Uint64() >> (20 + r.IntN(44)), SwapUsed: r.Uint64() >> (20 + r.IntN(44)), Stat: someStat(seed)}}
		checkMeminfo(t, host, v, renderMeminfo(host, v))
	}
}
