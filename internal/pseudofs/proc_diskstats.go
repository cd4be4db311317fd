package pseudofs

import (
	"bytes"
	"strconv"
)

// renderDiskstats renders /proc/diskstats: a line for each device that the container
// used. From the host's text it takes how many fields the kernel writes: 14 before
// Linux 4.18, then 18, from 5.5 on 20 (Documentation/admin-guide/iostats.rst). A
// cgroup counts no times, merges and flushes: these are 0.
func renderDiskstats(host []byte, v *View) []byte {
	const (
		identity    = 3  // major, minor, name
		newest      = 17 // numbers after them
		bytesSector = 512
		bytesLine   = 128
	)
	numbers := newest
	if line := firstLine(host); len(line) > 0 {
		numbers = -identity
		for range bytes.FieldsSeq(line) {
			numbers++
		}
	}
	b := make([]byte, 0, bytesLine*len(v.Devices))
	for i := range v.Devices {
		d := &v.Devices[i]
		b = appendPadded(b, uint64(d.Major), 4)
		b = append(b, ' ')
		b = appendPadded(b, uint64(d.Minor), 7)
		b = append(b, ' ')
		b = append(b, d.Name...)
		for n := range numbers {
			var value uint64
			switch n {
			case 0:
				value = d.Reads
			case 2:
				value = d.ReadBytes / bytesSector
			case 4:
				value = d.Writes
			case 6:
				value = d.WriteBytes / bytesSector
			case 11:
				value = d.DiscardOps
			case 13:
				value = d.DiscardBytes / bytesSector
			}
			b = append(b, ' ')
			b = strconv.AppendUint(b, value, 10)
		}
		b = append(b, '\n')
	}
	return b
}
