package integration

import (
	"math"
	"testing"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// clocks is the report of the probe, in seconds since boot.
type clocks struct{ Boottime, Monotonic, Realtime, Sysinfo, Uptime, Start float64 }

func TestP12_TimeSinceBootIsTheContainers(t *testing.T) {
	d := bed(t)
	before := time.Now()
	task := start(t, d, testbed.Container{})
	first := decode[clocks](t, exec(t, task, "/probe", "clock"))
	second := decode[clocks](t, exec(t, task, "/probe", "clock"))
	age := time.Since(before).Seconds()

	for name, seconds := range map[string]float64{
		"/proc/uptime": second.Uptime, "CLOCK_BOOTTIME": second.Boottime, "CLOCK_MONOTONIC": second.Monotonic,
		"sysinfo(2)": second.Sysinfo - 1, // sysinfo rounds up
	} {
		if seconds < -0.01 || seconds > age {
			t.Errorf("%s is %.2f s in a container of at most %.2f s", name, seconds, age)
		}
		if math.Abs(seconds-second.Boottime) > 1.5 {
			t.Errorf("%s is %.2f s, CLOCK_BOOTTIME %.2f s", name, seconds, second.Boottime)
		}
	}
	if second.Uptime < first.Uptime || second.Boottime <= first.Boottime {
		t.Errorf("time does not go on: %+v, then %+v", first, second)
	}
	if second.Start < first.Uptime-0.02 || second.Start > second.Uptime+0.02 {
		t.Errorf("a process that was started between %.2f and %.2f s says it was at %.2f s", first.Uptime, second.Uptime, second.Start)
	}
	if math.Abs(second.Realtime-float64(time.Now().UnixNano())/1e9) > 60 {
		t.Errorf("the time of day is %.0f, the host's %d", second.Realtime, time.Now().Unix())
	}
}

// Each container counts from its own start.
func TestP12_ALaterContainerIsYounger(t *testing.T) {
	d := bed(t)
	first := start(t, d, testbed.Container{})
	second := start(t, d, testbed.Container{})
	young := decode[clocks](t, exec(t, second, "/probe", "clock"))
	old := decode[clocks](t, exec(t, first, "/probe", "clock"))
	if young.Boottime >= old.Boottime {
		t.Errorf("the container that was started later is %.2f s old, the other %.2f s", young.Boottime, old.Boottime)
	}
}
