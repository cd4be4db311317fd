package pseudofs

import (
	"bytes"
	"math"
	"strconv"
)

// What is malformed is as good as missing: kernels differ, and a view that lacks a
// number is better than none.

// parseCount reads a number that stands alone, or before a newline.
func parseCount(text []byte) (uint64, bool) {
	text = bytes.TrimRight(text, "\n")
	if len(text) == 0 || len(text) > 20 {
		return 0, false
	}
	var n uint64
	for _, c := range text {
		if c < '0' || '9' < c {
			return 0, false
		}
		digit := uint64(c - '0')
		if n > (math.MaxUint64-digit)/10 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}

// parseLimit reads a limit. "max" is the highest number.
func parseLimit(text []byte) uint64 {
	if n, ok := parseCount(text); ok {
		return n
	}
	return math.MaxUint64
}

// eachKey calls fn for each line "<key> <number>".
func eachKey(text []byte, fn func(key []byte, n uint64)) {
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(line, []byte{' '})
		if n, ok := parseCount(value); ok {
			fn(key, n)
		}
	}
}

// maxCPU is more CPUs than a kernel can have (CONFIG_NR_CPUS is at most 8192).
const maxCPU = 1 << 16

// parseCPUs reads a list of CPUs, "0-2,7" (cpuset(7), List format).
func parseCPUs(text []byte) []int {
	var cpus []int
	for part := range bytes.SplitSeq(bytes.TrimSpace(text), []byte{','}) {
		low, high, isRange := bytes.Cut(part, []byte{'-'})
		first, ok := parseCount(low)
		last := first
		if isRange {
			var okLast bool
			last, okLast = parseCount(high)
			ok = ok && okLast
		}
		if !ok || last > maxCPU {
			continue
		}
		for n := first; n <= last; n++ {
			cpus = append(cpus, int(n))
		}
	}
	return cpus
}

// parsePair reads "<number> <number>"; cpu.max has "max" in place of the first
// where there is no limit, and cfs_quota_us -1.
func parsePair(text []byte) (a, b uint64, ok bool) {
	first, second, _ := bytes.Cut(bytes.TrimSpace(text), []byte{' '})
	a, ok1 := parseCount(first)
	b, ok2 := parseCount(second)
	return a, b, ok1 && ok2
}

// parseDevice reads "<major>:<minor>".
func parseDevice(text []byte) (device, bool) {
	major, minor, _ := bytes.Cut(text, []byte{':'})
	a, ok1 := parseCount(major)
	b, ok2 := parseCount(minor)
	return device{uint32(a), uint32(b)}, ok1 && ok2 && max(a, b) <= math.MaxUint32
}

// parsePIDs reads one process number a line.
func parsePIDs(pids []int32, text []byte) []int32 {
	for line := range bytes.Lines(text) {
		if n, ok := parseCount(line); ok && n <= math.MaxInt32 {
			pids = append(pids, int32(n))
		}
	}
	return pids
}

// appendPID writes a process number.
func appendPID(b []byte, pid int32) []byte { return strconv.AppendInt(b, int64(pid), 10) }
