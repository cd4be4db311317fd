package pseudofs

import "strconv"

// renderCPUList renders /sys/devices/system/cpu/{online,present,possible}: the numbers
// of the CPUs that the container may use, in the list format of cpuset(7). They are
// the host's numbers, as sched_getaffinity(2) gives them. It needs no text of the host.
func renderCPUList(_ []byte, v *View) []byte {
	b := make([]byte, 0, 32)
	for i := 0; i < len(v.CPUs); {
		last := i
		for last+1 < len(v.CPUs) && v.CPUs[last+1] == v.CPUs[last]+1 {
			last++
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(v.CPUs[i]), 10)
		if last > i {
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(v.CPUs[last]), 10)
		}
		i = last + 1
	}
	return append(b, '\n')
}
