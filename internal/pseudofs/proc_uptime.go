package pseudofs

import "math/bits"

// renderUptime renders /proc/uptime: seconds since the start, and the seconds that the
// CPUs which the container may use were idle, together. It needs no text of the host.
func renderUptime(_ []byte, v *View) []byte {
	up := ticks(v.Uptime) // a tick is a hundredth of a second
	b := make([]byte, 0, 32)
	b = appendHundredths(b, up)
	b = append(b, ' ')
	used := plus(ticks(v.CPU.User), ticks(v.CPU.System))
	b = appendHundredths(b, idleTicks(up, len(v.CPUs), used))
	return append(b, '\n')
}

// idleTicks is what a time on a number of CPUs leaves when some of it was used. It
// counts ticks: in nanoseconds, 1,000 CPUs leave the range of a Duration in 106 days.
func idleTicks(up uint64, cpus int, used uint64) uint64 {
	high, all := bits.Mul64(up, uint64(cpus))
	if high != 0 {
		return 0
	}
	return minus(all, used)
}
