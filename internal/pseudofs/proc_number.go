package pseudofs

import (
	"math"
	"strconv"
	"time"
)

// tick is the unit of CPU time in /proc/stat: USER_HZ is 100 on every architecture
// that this project builds for (proc_stat(5)).
const tick = 10 * time.Millisecond

// ticks counts the whole ticks of a time; none where it is negative, which two
// readings of a clock can make it.
func ticks(d time.Duration) uint64 {
	return uint64(max(d, 0) / tick)
}

// minus subtracts, and stays at 0: numbers that are read one after the other may not
// fit together.
func minus(a, b uint64) uint64 {
	if b >= a {
		return 0
	}
	return a - b
}

// plus adds, and stays at the highest number.
func plus(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// appendHundredths writes a number of hundredths as "12.34".
func appendHundredths(b []byte, n uint64) []byte {
	b = strconv.AppendUint(b, n/100, 10)
	return append(b, '.', '0'+byte(n/10%10), '0'+byte(n%10))
}

// appendPadded writes a number at the right end of a column.
func appendPadded(b []byte, n uint64, width int) []byte {
	digits := 1
	for rest := n / 10; rest > 0; rest /= 10 {
		digits++
	}
	return strconv.AppendUint(appendSpaces(b, width-digits), n, 10)
}

// appendSpaces writes n spaces; none where n is not positive.
func appendSpaces(b []byte, n int) []byte {
	for range n {
		b = append(b, ' ')
	}
	return b
}

// appendZeroed writes a line with 0 in place of every number in it.
func appendZeroed(b, line []byte) []byte {
	number := false
	for _, c := range line {
		digit := '0' <= c && c <= '9'
		switch {
		case !digit:
			b = append(b, c)
		case !number:
			b = append(b, '0')
		}
		number = digit
	}
	return b
}
