package pseudofs

import (
	"math/bits"
	"time"
)

// divide divides an exact time into user and system as what was sampled is divided,
// and so that neither gets smaller than it was last. It is the kernel's
// cputime_adjust (kernel/sched/cputime.c).
func divide(last, sampled CPUTime, exact time.Duration) CPUTime {
	if exact <= last.User+last.System {
		return last
	}
	user, system := uint64(max(sampled.User, 0)), uint64(max(sampled.System, 0))
	total := uint64(exact)
	var s uint64 // system's part of total
	switch {
	case system == 0:
	case user == 0:
		s = total
	default:
		high, low := bits.Mul64(system, total)
		s, _ = bits.Div64(high, low, system+user) // is at most total
	}
	used := CPUTime{System: max(time.Duration(s), last.System)}
	used.User = exact - used.System
	if used.User < last.User {
		used = CPUTime{User: last.User, System: exact - last.User}
	}
	return used
}
