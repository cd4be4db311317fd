package pseudofs

import "strconv"

// renderLoadavg renders /proc/loadavg: three averages, threads that can run and all
// threads, the last process number. It needs no text of the host.
func renderLoadavg(_ []byte, v *View) []byte {
	b := make([]byte, 0, 64)
	for _, load := range v.Load {
		b = appendHundredths(b, hundredths(load))
		b = append(b, ' ')
	}
	running := runnable(v.Tasks)
	b = strconv.AppendInt(b, int64(running), 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(max(v.Tasks.Total, running)), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(max(v.Tasks.LastPID, 0)), 10)
	return append(b, '\n')
}

// runnable counts the threads that can run. Whoever reads the number does run, so the
// kernel never shows 0 of them.
func runnable(t Tasks) int {
	return max(t.Running, 1)
}

// highestLoad is more threads than there can be: pid_max is below 2^22 (proc_sys_kernel(5)).
const highestLoad = 1 << 22

// hundredths rounds an average as the kernel does. What is not a load is none.
func hundredths(load float64) uint64 {
	if !(load > 0) { // NaN, too
		return 0
	}
	return uint64(min(load, highestLoad)*100 + 0.5)
}
