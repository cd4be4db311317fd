package linux

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Boottime is the time since boot, suspended time included, of the caller's
// time namespace. CLOCK_BOOTTIME, clock_gettime(2).
func Boottime() (time.Duration, error) { return clock(unix.CLOCK_BOOTTIME) }

// Monotonic is CLOCK_MONOTONIC of the caller's time namespace.
func Monotonic() (time.Duration, error) { return clock(unix.CLOCK_MONOTONIC) }

func clock(id int32) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}
