package pseudofs

import "strconv"

// renderSwaps renders /proc/swaps: the header, and a line where the container may
// swap, in the form of Linux ≥ 5.7. It needs no text of the host.
//
// The line names no file, because there is none that the container could turn off:
// "none" and "virtual" is what tools know from lxcfs.
func renderSwaps(_ []byte, v *View) []byte {
	const (
		header   = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		name     = "none                                    virtual\t\t" // 40 columns
		priority = "-2\n"                                                // the kernel's first
	)
	b := make([]byte, 0, 2*len(header)+len(name))
	b = append(b, header...)
	if v.Memory.SwapTotal == 0 {
		return b
	}
	b = append(b, name...)
	b = appendSwapSize(b, v.Memory.SwapTotal)
	b = appendSwapSize(b, min(v.Memory.SwapUsed, v.Memory.SwapTotal))
	return append(b, priority...)
}

// appendSwapSize writes a size in KiB, and tabs up to the next column.
func appendSwapSize(b []byte, size uint64) []byte {
	kib := size / 1024
	b = strconv.AppendUint(b, kib, 10)
	if kib < 10_000_000 {
		b = append(b, '\t')
	}
	return append(b, '\t')
}
