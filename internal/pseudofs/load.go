package pseudofs

import (
	"math"
	"time"
)

const (
	loadStep  = 5 * time.Second // as the kernel's (LOAD_FREQ, include/linux/sched/loadavg.h)
	loadAlone = 5 * time.Minute // sampling ends that long after the last read
	loadGap   = 2*loadStep - 1  // a longer step was not one

	unknownThreads = -1.0
)

// loadSpans are the times over which the averages decay.
var loadSpans = [3]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute}

// load are load averages, and where the next ones go on from. The zero value is a
// container's at its start.
type load struct {
	avg [3]float64
	at  time.Duration // the container's uptime when they were computed
	cpu time.Duration // CPU time that it had used
}

// next are the averages at a later time, when the container has used so much CPU
// time. active is how many threads run or wait uninterruptibly now, and is taken
// for the whole step. For a longer time, or where that is not known, there is a
// better guess: as many ran on average as CPUs were used.
func (l load) next(at, cpu time.Duration, active float64) load {
	step := at - l.at
	if step <= 0 {
		return l
	}
	if active < 0 || step > loadGap {
		active = max(float64(cpu-l.cpu)/float64(step), 0)
	}
	return load{avg: decay(l.avg, active, step), at: at, cpu: cpu}
}

// decay is the kernel's calc_load (kernel/sched/loadavg.c) for any time: what was
// before counts e^(-step/span), the rest is active.
func decay(avg [3]float64, active float64, step time.Duration) [3]float64 {
	for i, span := range loadSpans {
		old := math.Exp(-float64(step) / float64(span))
		avg[i] = avg[i]*old + active*(1-old)
	}
	return avg
}
