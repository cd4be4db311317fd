package pseudofs

import (
	"bytes"
	"strconv"
	"time"
)

// renderStat renders /proc/stat. The lines of the CPUs are the container's. Of the
// others, each line of the host keeps its form; those of interrupts and context
// switches, for which a cgroup has no numbers, show 0.
func renderStat(host []byte, v *View) []byte {
	const bytesCPU = 64
	b := make([]byte, 0, len(host)+bytesCPU*(len(v.CPUs)+1))
	b = appendCPUTimes(b, v)
	for line := range bytes.Lines(host) {
		name, _, _ := bytes.Cut(line, []byte{' '})
		switch {
		case bytes.HasPrefix(name, []byte("cpu")):
		case string(name) == "btime":
			b = appendCount(b, name, bootTime(v))
		case string(name) == "processes":
			b = appendCount(b, name, v.Tasks.LastPID)
		case string(name) == "procs_running":
			b = appendCount(b, name, runnable(v.Tasks))
		case string(name) == "procs_blocked":
			b = appendCount(b, name, v.Tasks.Blocked)
		default:
			b = appendZeroed(append(b, name...), line[len(name):])
		}
	}
	return b
}

// appendCount writes a line with one number.
func appendCount(b, name []byte, n int) []byte {
	b = append(b, name...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(max(n, 0)), 10)
	return append(b, '\n')
}

// bootTime is when the container's clock since boot showed 0, in seconds since 1970.
func bootTime(v *View) int {
	return int(v.Wall.Add(-v.Uptime).Unix())
}

// appendCPUTimes writes the line of all CPUs and one for each. A CPU gets what the
// kernel accounts for it, and an equal part of the rest. The rest is all where the
// kernel does not account by CPU; else, what ran on CPUs that are not shown, because
// a quota narrows how many there are, and not which.
//
// The sum may shrink by some ticks of idle time between two reads: a quota can be
// used up on many CPUs at once. Tools take that for 0.
func appendCPUTimes(b []byte, v *View) []byte {
	var known CPUTime
	for _, n := range v.CPUs {
		known.User += v.PerCPU[n].User
		known.System += v.PerCPU[n].System
	}
	all := CPUTime{User: max(v.CPU.User, known.User), System: max(v.CPU.System, known.System)}
	up := ticks(v.Uptime)
	b = appendCPUTime(append(b, "cpu "...), all, up, len(v.CPUs))

	count := time.Duration(max(len(v.CPUs), 1))
	part := CPUTime{User: (all.User - known.User) / count, System: (all.System - known.System) / count}
	for _, n := range v.CPUs {
		own := v.PerCPU[n]
		b = strconv.AppendInt(append(b, "cpu"...), int64(n), 10)
		b = appendCPUTime(b, CPUTime{User: own.User + part.User, System: own.System + part.System}, up, 1)
	}
	return b
}

// appendCPUTime writes ten numbers: user, nice, system, idle, iowait, irq, softirq,
// steal, guest, guest_nice (proc_stat(5)).
func appendCPUTime(b []byte, used CPUTime, up uint64, cpus int) []byte {
	user, system := ticks(used.User), ticks(used.System)
	b = strconv.AppendUint(append(b, ' '), user, 10)
	b = strconv.AppendUint(append(b, " 0 "...), system, 10)
	b = strconv.AppendUint(append(b, ' '), idleTicks(up, cpus, plus(user, system)), 10)
	return append(b, " 0 0 0 0 0 0\n"...)
}
