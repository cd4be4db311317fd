package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eci-runtime/eci/internal/metrics"
)

// shimProcess is a server of this runtime.
type shimProcess struct {
	pid      int
	args     []string
	replaced bool // its binary is not that of its name any more
	cpu      time.Duration
	resident uint64 // bytes
}

// group is the container that it was started for, or its pod's first one.
func (s shimProcess) group() string {
	if i := slices.Index(s.args, "-id"); i >= 0 && i+1 < len(s.args) {
		return s.args[i+1]
	}
	return ""
}

// shims are all servers that run on this host.
func shims() []shimProcess {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []shimProcess
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe, err := os.Readlink(filepath.Join("/proc", e.Name(), "exe"))
		path, replaced := strings.CutSuffix(exe, " (deleted)")
		if err != nil || filepath.Base(path) != shimName {
			continue
		}
		data, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		args := strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")
		if err != nil || slices.Contains(args, "start") || slices.Contains(args, "delete") {
			continue
		}
		s := shimProcess{pid: pid, args: args, replaced: replaced}
		s.cpu, s.resident = costOf(pid)
		out = append(out, s)
	}
	return out
}

// costOf is the processor time and the resident memory of a process, proc_pid_stat(5).
func costOf(pid int) (cpu time.Duration, resident uint64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const utime, stime, rss, hz = 14 - 3, 15 - 3, 24 - 3, 100
	if len(fields) <= rss {
		return 0, 0
	}
	ticks := number(string(fields[utime])) + number(string(fields[stime]))
	return time.Duration(ticks) * time.Second / hz, number(string(fields[rss])) * uint64(os.Getpagesize())
}

// countShims are the figures of the servers.
func countShims() []metrics.Family {
	var current, replaced, cpu, resident float64
	for _, s := range shims() {
		if s.replaced {
			replaced++
		} else {
			current++
		}
		cpu += s.cpu.Seconds()
		resident += float64(s.resident)
	}
	return []metrics.Family{
		gauge("eci_shims", "Shims that run, by whether their binary is the installed one.",
			metrics.Sample{Labels: []string{"binary", "installed"}, Value: current}, metrics.Sample{Labels: []string{"binary", "replaced"}, Value: replaced}),
		gauge("eci_shims_cpu_seconds", "Processor time of the shims that run, agent and pseudo-files included.", metrics.Sample{Value: cpu}),
		gauge("eci_shims_resident_bytes", "Resident memory of the shims that run.", metrics.Sample{Value: resident}),
	}
}
