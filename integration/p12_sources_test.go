package integration

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// uptimes are both columns of /proc/uptime, in seconds.
func uptimes(t *testing.T, text string) (up, idle float64) {
	t.Helper()
	if n, err := fmt.Sscanf(text, "%f %f\n", &up, &idle); err != nil || n != 2 {
		t.Fatalf("not an uptime: %q", text)
	}
	return up, idle
}

// The second column is what the container did not use of the CPUs that it may use.
func TestP12_IdleIsTheContainers(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name   string
		limits limits
		cpus   float64
	}{
		{"no limits", limits{}, float64(len(hostCPUs(t)))},
		{"one CPU", oneCPU, 1},
		{"a quota", oneQuota, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := start(t, d, testbed.Container{Spec: limited(c.limits)})
			up, idle := uptimes(t, exec(t, task, "cat", "/proc/uptime"))
			if hostUp, _ := uptimes(t, readFile(t, "/proc/uptime")); up > hostUp/2 && hostUp > 600 {
				t.Errorf("it is up for %.2f s, the host for %.2f s", up, hostUp)
			}
			if idle > up*c.cpus+0.1 || idle < 0 {
				t.Errorf("idle for %.2f s after %.2f s with %g CPUs", idle, up, c.cpus)
			}
			exec(t, task, "/probe", "burn", "1")
			before := cpuUsage(t, d, task)
			up, idle = uptimes(t, exec(t, task, "cat", "/proc/uptime"))
			used := up*c.cpus - idle
			if used < before-0.5 || used < 0.9 || used > cpuUsage(t, d, task)+0.5 {
				t.Errorf("idle for %.2f s after %.2f s with %g CPUs: used %.2f s, the cgroup says %.2f s", idle, up, c.cpus, used, before)
			}
		})
	}
}

// cpuUsage is the processor time of a container's cgroup, in seconds.
func cpuUsage(t *testing.T, d *testbed.Daemon, task *testbed.Task) float64 {
	t.Helper()
	text := cgroupFile(t, d, task, "cpuacct.usage", "cpu.stat")
	unit := 1e9
	if rest, ok := strings.CutPrefix(text, "usage_usec "); ok {
		text, _, _ = strings.Cut(rest, "\n")
		unit = 1e6
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n / unit
}

// When the container booted is told by every source alike: btime of /proc/stat, the time of
// day less the uptime, and the start of its first process.
func TestP12_BootTimeAgrees(t *testing.T) {
	d := bed(t)
	before := time.Now()
	task := start(t, d, testbed.Container{})
	after := time.Now()
	out := exec(t, task, "sh", "-c", "grep btime /proc/stat; cat /proc/1/stat; cat /proc/uptime; date +%s")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	btime, err := strconv.ParseFloat(strings.TrimPrefix(lines[0], "btime "), 64)
	succeed(t, err)
	stat := strings.Fields(lines[1][strings.LastIndexByte(lines[1], ')')+1:])
	ticks, err := strconv.ParseFloat(stat[19], 64)
	succeed(t, err)
	up, _ := uptimes(t, lines[2]+"\n")
	now, err := strconv.ParseFloat(lines[3], 64)
	succeed(t, err)

	created := float64(before.Unix())
	if btime < created-2 || btime > float64(after.Unix())+2 {
		t.Errorf("btime is %.0f, the container was made between %.0f and %d", btime, created, after.Unix())
	}
	if diff := now - up - btime; math.Abs(diff) > 2 {
		t.Errorf("it is %.0f, up for %.2f s: booted at %.2f, btime is %.0f", now, up, now-up, btime)
	}
	if first := ticks / 100; first < -0.02 || first > after.Sub(before).Seconds() {
		t.Errorf("the first process was started %.2f s after boot, within a start of %.2f s", first, after.Sub(before).Seconds())
	}
}

// uptime(1) of busybox asks sysinfo(2); the load is the container's.
func TestP12_UptimeOfBusybox(t *testing.T) {
	task := start(t, bed(t), testbed.Container{})
	if out := exec(t, task, "uptime"); !strings.Contains(out, " up 0 min, ") {
		t.Errorf("got %q", out)
	}
	info := decode[sysinfo](t, exec(t, task, "/probe", "sysinfo"))
	if info.Uptime > 60 {
		t.Errorf("sysinfo(2): up for %d s", info.Uptime)
	}
}

// sysinfo is the probe's report.
type sysinfo struct {
	Uptime                                            int64
	Loads                                             [3]float64
	TotalRAM, FreeRAM, BufferRAM, TotalSwap, FreeSwap uint64
	Procs                                             uint64
}
