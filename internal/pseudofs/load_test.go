package pseudofs

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestLoadNext(t *testing.T) {
	const s, min = time.Second, time.Minute
	type step struct {
		at, cpu time.Duration
		active  float64
	}
	// steps makes one every five seconds.
	steps := func(from, to, cpu time.Duration, active float64) (list []step) {
		for at := from + loadStep; at <= to; at += loadStep {
			list = append(list, step{at, cpu, active})
		}
		return list
	}
	for _, test := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"at the start", nil, "0.00 0.00 0.00"},
		{"one thread, one step", steps(0, 5*s, 0, 1), "0.08 0.02 0.01"},
		{"one thread, a minute", steps(0, min, 0, 1), "0.63 0.18 0.06"},
		{"one thread, an hour", steps(0, 60*min, 0, 1), "1.00 1.00 0.98"},
		{"and then none for a minute", append(steps(0, 60*min, 0, 1), steps(60*min, 61*min, 0, 0)...), "0.37 0.82 0.92"},
		{"read first after a minute on two CPUs", []step{{min, 2 * min, unknownThreads}}, "1.26 0.36 0.13"},
		{"the same, whatever runs then", []step{{min, 2 * min, 100}}, "1.26 0.36 0.13"},
		{"read first after three seconds", []step{{3 * s, 3 * s, unknownThreads}}, "0.05 0.01 0.00"},
		{"an hour without a sample, idle", append(steps(0, 60*min, 0, 1), step{120 * min, 0, 5}), "0.00 0.00 0.02"},
		{"a step was late", []step{{9 * s, 0, 1}}, "0.14 0.03 0.01"},
		{"a step was missed", []step{{10 * s, 5 * s, 8}}, "0.08 0.02 0.01"},
		{"the clock stands", []step{{5 * s, 0, 1}, {5 * s, 9 * s, 100}}, "0.08 0.02 0.01"},
		{"the clock goes back", []step{{5 * s, 0, 1}, {4 * s, 9 * s, 100}}, "0.08 0.02 0.01"},
		{"the cgroup is gone", []step{{min, min, unknownThreads}, {2 * min, 0, unknownThreads}}, "0.23 0.15 0.06"},
	} {
		var l load
		for _, st := range test.steps {
			l = l.next(st.at, st.cpu, st.active)
		}
		if got := fmt.Sprintf("%.2f %.2f %.2f", l.avg[0], l.avg[1], l.avg[2]); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// TestDecayAsKernel compares with the kernel's own arithmetic, fixed point with 11
// bits (include/linux/sched/loadavg.h), over some hours.
func TestDecayAsKernel(t *testing.T) {
	const fixed = 1 << 11
	exps := [3]uint64{1884, 2014, 2037}
	var kernel [3]uint64
	var avg [3]float64
	for i := range 5000 {
		active := uint64(i*i/777) % 9 // something that goes up and down
		for k, exp := range exps {
			load := kernel[k]*exp + active*fixed*(fixed-exp)
			if active*fixed >= kernel[k] {
				load += fixed - 1
			}
			kernel[k] = load / fixed
		}
		avg = decay(avg, float64(active), loadStep)
		for k := range exps {
			// Its rounding is worth a step of 1/2048 each time, which sums up.
			if want := float64(kernel[k]) / fixed; math.Abs(avg[k]-want) > 0.1 {
				t.Fatalf("step %d, average %d: got %.3f, the kernel has %.3f", i, k, avg[k], want)
			}
		}
	}
}

// TestDecayAtOnce shows that one long step is as good as many.
func TestDecayAtOnce(t *testing.T) {
	many := [3]float64{7, 3, 1}
	once := decay(many, 2, time.Hour)
	for range time.Hour / loadStep {
		many = decay(many, 2, loadStep)
	}
	for i := range many {
		if math.Abs(many[i]-once[i]) > 1e-9 {
			t.Errorf("got %v, want %v", once, many)
		}
	}
}
