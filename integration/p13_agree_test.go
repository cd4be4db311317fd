package integration

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// buildHostProbe builds the probe once, for running it on the host.
var buildHostProbe = sync.OnceValues(func() ([]byte, error) { return testbed.BuildProbe(context.Background()) })

// hostProbe is a probe on the host, which goes with the test.
func hostProbe(t *testing.T) string {
	t.Helper()
	program, err := buildHostProbe()
	succeed(t, err)
	path := filepath.Join(t.TempDir(), "probe")
	succeed(t, os.WriteFile(path, program, 0o755))
	return path
}

// limitKinds are limits and how many CPUs are visible with them, of at least two.
var limitKinds = []struct {
	name   string
	limits limits
	cpus   int // 0 is all of the host's
}{
	{"no limits", limits{}, 0},
	{"memory", smallMemory, 0},
	{"cpuset", oneCPU, 1},
	{"quota", oneQuota, 1},
	{"a quota of one and a half", limits{quota: 1.5}, 2},
	{"all", limits{memory: mebibytes << 20, cpus: "1", quota: 1}, 1},
}

// cpuReport is the probe's.
type cpuReport struct {
	Allowed            []int
	NumCPU, GoMaxProcs int
}

// TestP13_SourcesAgree: every source of one fact tells the same.
func TestP13_SourcesAgree(t *testing.T) {
	needCPUs(t, 2)
	d := bed(t)
	for _, k := range limitKinds {
		t.Run(k.name, func(t *testing.T) {
			task := start(t, d, testbed.Container{Spec: limited(k.limits)})

			cpus := hostCPUs(t)
			if k.limits.cpus != "" {
				cpus = cpuList(t, k.limits.cpus)
			}
			if k.cpus != 0 {
				cpus = cpus[:k.cpus]
			}
			out := func(args ...string) string { return exec(t, task, args...) }
			wantCPUs(t, "cpuinfo", processors(t, out("cat", "/proc/cpuinfo")), cpus)
			fromStat, _ := statCPUs(t, out("cat", "/proc/stat"))
			wantCPUs(t, "stat", fromStat, cpus)
			for _, name := range []string{"online", "present", "possible"} {
				wantCPUs(t, name, cpuList(t, out("cat", "/sys/devices/system/cpu/"+name)), cpus)
			}
			wantText(t, "nproc", out("nproc"), strconv.Itoa(len(cpus)))
			report := decode[cpuReport](t, out("/probe", "cpus"))
			wantCPUs(t, "sched_getaffinity(2)", report.Allowed, cpus)
			if report.NumCPU != len(cpus) || report.GoMaxProcs != len(cpus) {
				t.Errorf("Go has %d CPUs and GOMAXPROCS %d, want %d", report.NumCPU, report.GoMaxProcs, len(cpus))
			}

			have := meminfo(t, task)
			info := decode[sysinfo](t, out("/probe", "sysinfo"))
			checkSysinfo(t, "sysinfo(2)", info, have)
			if k.limits.memory != 0 && info.TotalRAM != uint64(k.limits.memory) {
				t.Errorf("sysinfo(2): %d bytes, the limit is %d", info.TotalRAM, k.limits.memory)
			}
			if info.Procs < 1 || info.Procs > 20 { // threads, as the kernel counts
				t.Errorf("sysinfo(2): %d processes", info.Procs)
			}
			load, _, _ := strings.Cut(out("cat", "/proc/loadavg"), " ")
			one, err := strconv.ParseFloat(load, 64)
			succeed(t, err)
			if math.Abs(one-info.Loads[0]) > 1 {
				t.Errorf("load %s, sysinfo(2) %v", load, info.Loads)
			}
		})
	}
}

// checkSysinfo compares with /proc/meminfo, read before.
func checkSysinfo(t *testing.T, what string, info sysinfo, have map[string]uint64) {
	t.Helper()
	if info.TotalRAM>>10 != have["MemTotal"] || info.TotalSwap>>10 != have["SwapTotal"] {
		t.Errorf("%s: %d kB and %d of swap, meminfo %d and %d", what, info.TotalRAM>>10, info.TotalSwap>>10, have["MemTotal"], have["SwapTotal"])
	}
	if diff := math.Abs(float64(info.FreeRAM>>10) - float64(have["MemFree"])); diff > float64(have["MemTotal"])/8 {
		t.Errorf("%s: %d kB free, meminfo %d", what, info.FreeRAM>>10, have["MemFree"])
	}
}

// TestP13_ThirtyTwoBits: programs of 32 bits have the same view.
func TestP13_ThirtyTwoBits(t *testing.T) {
	needCPUs(t, 2)
	task := start(t, bed(t), testbed.Container{Spec: limited(limits{memory: mebibytes << 20, quota: 1})})
	result, err := task.Exec(deadline(t), "/probe", "sysinfo-32")
	succeed(t, err)
	if result.Code != 0 {
		t.Skipf("no 32-bit system calls: %d %s", result.Code, result.Stderr)
	}
	checkSysinfo(t, "sysinfo(2) of 32 bits", decode[sysinfo](t, result.Stdout), meminfo(t, task))
	wantCPUs(t, "sched_getaffinity(2) of 32 bits", decode[cpuReport](t, exec(t, task, "/probe", "allowed-32")).Allowed, []int{0})
}

// TestP13_UsageIsFollowed: what a process takes is no longer free.
func TestP13_UsageIsFollowed(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Spec: limited(smallMemory)})
	before := meminfo(t, task)
	in, feed, err := os.Pipe()
	succeed(t, err)
	defer feed.Close()
	p, out, err := task.NewExec(deadline(t), in, func(p *specs.Process) { p.Args = []string{"/probe", "hold", "100"} })
	succeed(t, err)
	exited, err := p.Wait(d.Context(deadline(t)))
	succeed(t, err)
	succeed(t, p.Start(d.Context(deadline(t))))
	defer func() { _, _ = p.Delete(d.Context(deadline(t)), killFirst) }()
	eventually(t, "the process that takes memory", func() (string, bool) { return out.Stdout() + out.Stderr(), out.Stdout() != "" })
	const taken = 90 << 10
	eventually(t, "MemFree", func() (string, bool) {
		now := meminfo(t, task)
		return strconv.FormatUint(now["MemFree"], 10), now["MemFree"]+taken < before["MemFree"] && now["MemAvailable"]+taken < before["MemAvailable"] && now["AnonPages"] > taken
	})
	if info := decode[sysinfo](t, exec(t, task, "/probe", "sysinfo")); info.FreeRAM>>10+taken > before["MemFree"] {
		t.Errorf("sysinfo(2): %d kB free, %d before", info.FreeRAM>>10, before["MemFree"])
	}
	succeed(t, feed.Close(), p.CloseIO(d.Context(deadline(t)), client.WithStdinCloser))
	<-exited
	eventually(t, "MemFree after it", func() (string, bool) {
		now := meminfo(t, task)
		return strconv.FormatUint(now["MemFree"], 10), now["MemFree"]+taken > before["MemFree"]
	})
}

// TestP13_LimitsAreFollowed: limits that are changed while the container runs are seen.
func TestP13_LimitsAreFollowed(t *testing.T) {
	needCPUs(t, 2)
	d := bed(t)
	task := start(t, d, testbed.Container{Spec: limited(limits{memory: 512 << 20, quota: 2})})
	wantMemory := func(want uint64) {
		t.Helper()
		eventually(t, "MemTotal", func() (string, bool) {
			have := meminfo(t, task)["MemTotal"]
			return strconv.FormatUint(have, 10), have == want>>10
		})
		eventually(t, "sysinfo(2)", func() (string, bool) {
			have := decode[sysinfo](t, exec(t, task, "/probe", "sysinfo")).TotalRAM
			return strconv.FormatUint(have, 10), have == want
		})
	}
	wantVisible := func(want ...int) {
		t.Helper()
		for _, path := range []string{"/sys/devices/system/cpu/online", "/proc/cpuinfo", "/proc/stat"} {
			eventually(t, path, func() (string, bool) {
				text := exec(t, task, "cat", path)
				var have []int
				switch filepath.Base(path) {
				case "online":
					have = cpuList(t, text)
				case "cpuinfo":
					have = processors(t, text)
				default:
					have, _ = statCPUs(t, text)
				}
				return text, slices.Equal(have, want)
			})
		}
	}
	wantMemory(512 << 20)
	wantVisible(hostCPUs(t)[:2]...)
	update(t, d, task, limits{memory: mebibytes << 20})
	wantMemory(mebibytes << 20)
	update(t, d, task, limits{quota: 1})
	wantVisible(hostCPUs(t)[0])
	update(t, d, task, limits{quota: 2})
	wantVisible(hostCPUs(t)[:2]...)
	update(t, d, task, limits{cpus: "1"})
	wantVisible(1)
	update(t, d, task, limits{memory: 300 << 20})
	wantMemory(300 << 20)
}

// TestP13_LimitOfAnAncestor: the smallest limit on the way to the root counts, as in a pod.
func TestP13_LimitOfAnAncestor(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	parent := d.Cgroup() + "/parent"
	t.Cleanup(func() {
		for _, dir := range testbed.CgroupDirs(parent) {
			succeed(t, os.Remove(dir))
		}
	})
	task := start(t, d, testbed.Container{Spec: specOf(limited(limits{memory: 512 << 20}), func(s *specs.Spec) {
		s.Linux.CgroupsPath = parent + "/inner"
	})})
	path := ""
	for _, dir := range testbed.CgroupDirs(parent) {
		for _, name := range []string{"memory.limit_in_bytes", "memory.max"} {
			if file := filepath.Join(dir, name); exists(file) {
				path = file
			}
		}
	}
	if path == "" {
		t.Fatal("the parent has no limit of memory")
	}
	succeed(t, os.WriteFile(path, []byte(strconv.Itoa(mebibytes<<20)), 0o644))
	eventually(t, "MemTotal", func() (string, bool) {
		have := meminfo(t, task)["MemTotal"]
		return strconv.FormatUint(have, 10), have == mebibytes<<10
	})
}

// TestP13_DiskUsage: what the container writes past the page cache is counted, as far as its
// cgroup says.
func TestP13_DiskUsage(t *testing.T) {
	d := bed(t)
	volume := ext4Volume(t)
	task := start(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")}})
	exec(t, task, "dd", "if=/dev/zero", "of=/mnt/file", "bs=64k", "count=32", "oflag=direct")
	const written = 32 * 64 << 10
	accounted := cgroupFile(t, d, task, "blkio.throttle.io_service_bytes", "io.stat")
	if !strings.Contains(accounted, strconv.Itoa(written)) {
		t.Skipf("the cgroup does not account it: %q", accounted)
	}
	eventually(t, "diskstats", func() (string, bool) {
		text := exec(t, task, "cat", "/proc/diskstats")
		for line := range strings.Lines(text) {
			if f := strings.Fields(line); atoi(t, f[9]) == written/512 {
				return text, true
			}
		}
		return text, false
	})
}
