package pseudofs

import (
	"math"
	"strings"
	"testing"
	"time"
)

// day, times a thousand CPUs, times four months, is more than a Duration holds.
const day = 24 * time.Hour

func TestRenderEdges(t *testing.T) {
	const (
		noStat  = " 0 0 0 0 0 0\n"
		swapTop = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		swap    = "none                                    virtual\t\t"
	)
	many := make([]int, 4096)
	for i := range many {
		many[i] = i
	}
	disk := DeviceIO{Major: 259, Minor: 1048575, Name: "nvme0n1p1", Reads: 1, ReadBytes: 1023, Writes: 2, WriteBytes: 1024, DiscardOps: 3, DiscardBytes: 1536}
	tests := []struct {
		name   string
		render func(host []byte, v *View) []byte
		host   string
		view   View
		want   string
	}{
		{"uptime of nothing", renderUptime, "", View{}, "0.00 0.00\n"},
		{"uptime", renderUptime, "", View{Uptime: 5869 * time.Millisecond, CPUs: []int{3}, CPU: CPUTime{User: time.Second, System: 10 * time.Millisecond}}, "5.86 4.85\n"},
		{"uptime, all used", renderUptime, "", View{Uptime: time.Second, CPUs: []int{0, 1}, CPU: CPUTime{User: 3 * time.Second}}, "1.00 0.00\n"},
		{"uptime before the start", renderUptime, "", View{Uptime: -time.Second, CPUs: []int{0}, CPU: CPUTime{User: -1}}, "0.00 0.00\n"},
		{"uptime of a large machine", renderUptime, "", View{Uptime: 3650 * day, CPUs: many, CPU: CPUTime{User: time.Second}}, "315360000.00 1291714559999.00\n"},

		{"loadavg", renderLoadavg, "", View{Load: [3]float64{0.005, 1.994999, 12.5}, Tasks: Tasks{Total: 23, Running: 2, LastPID: 456}}, "0.01 1.99 12.50 2/23 456\n"},
		{"loadavg of nothing", renderLoadavg, "", View{}, "0.00 0.00 0.00 1/1 0\n"},
		{"loadavg, not numbers", renderLoadavg, "", View{Load: [3]float64{math.NaN(), math.Inf(1), -1}, Tasks: Tasks{Total: -1, Running: -1, LastPID: -1}}, "0.00 4194304.00 0.00 1/1 0\n"},

		{"swaps, none", renderSwaps, "", View{}, swapTop},
		{"swaps", renderSwaps, "", View{Memory: Memory{SwapTotal: 10_000_000 * 1024, SwapUsed: 1023}}, swapTop + swap + "10000000\t0\t\t-2\n"},
		{"swaps, more than all", renderSwaps, "", View{Memory: Memory{SwapTotal: 8192, SwapUsed: 9000}}, swapTop + swap + "8\t\t8\t\t-2\n"},

		{"diskstats of nothing", renderDiskstats, "   8       0 sda 1 2 3", View{}, ""},
		{"diskstats, before 4.18", renderDiskstats, "   8       0 sda 1 1 1 1 1 1 1 1 1 1 1\n", View{Devices: []DeviceIO{disk}}, " 259 1048575 nvme0n1p1 1 0 1 0 2 0 2 0 0 0 0\n"},
		{"diskstats, before 5.5", renderDiskstats, "   8       0 sda 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", View{Devices: []DeviceIO{disk}}, " 259 1048575 nvme0n1p1 1 0 1 0 2 0 2 0 0 0 0 3 0 3 0\n"},
		{"diskstats, no disks", renderDiskstats, "", View{Devices: []DeviceIO{disk}}, " 259 1048575 nvme0n1p1 1 0 1 0 2 0 2 0 0 0 0 3 0 3 0 0 0\n"},

		{"pressure without", renderPressure("io"), "", View{PSI: map[string][]byte{"cpu": []byte("x")}}, noPressure},
		{"pressure", renderPressure("io"), "", View{PSI: map[string][]byte{"io": []byte("some\n")}}, "some\n"},

		{"list of one", renderCPUList, "", View{CPUs: []int{0}}, "0\n"},
		{"list of a range", renderCPUList, "", View{CPUs: []int{0, 1}}, "0-1\n"},
		{"list", renderCPUList, "", View{CPUs: []int{1, 3, 4, 5, 7, 120, 121}}, "1,3-5,7,120-121\n"},
		{"list of many", renderCPUList, "", View{CPUs: many}, "0-4095\n"},
		{"list of none", renderCPUList, "", View{}, "\n"},

		{"cpuinfo of nothing", renderCpuinfo, "", View{CPUs: []int{0}}, ""},
		{"cpuinfo, no end", renderCpuinfo, "processor\t: 0\nx\t: 0\n\nprocessor\t: 11\nx\t: 1", View{CPUs: []int{11}}, "processor\t: 11\nx\t: 1"},
		{"cpuinfo, head and tail", renderCpuinfo, "system type\t: x\n\nprocessor : 0\n\nprocessor : 1\n\ntimebase\t: 5\n", View{CPUs: []int{0}}, "system type\t: x\n\nprocessor : 0\n\ntimebase\t: 5\n"},

		{"stat of nothing", renderStat, "", View{}, "cpu  0 0 0 0" + noStat},
		{
			"stat, without the kernel's numbers by CPU", renderStat, "cpu  9 9\ncpu0 9 9\ncpu1 9 9\nctxt 5\nnew 5 6:7\n",
			View{Uptime: time.Minute, CPUs: []int{1, 5}, CPU: CPUTime{User: 3 * time.Second, System: 2 * time.Second}},
			"cpu  300 0 200 11500" + noStat + "cpu1 150 0 100 5750" + noStat + "cpu5 150 0 100 5750" + noStat + "ctxt 0\nnew 0 0:0\n",
		},
		{
			"stat, a quota on all of four CPUs", renderStat, "",
			View{Uptime: time.Minute, CPUs: []int{0, 1}, CPU: CPUTime{User: 4 * time.Second}, PerCPU: map[int]CPUTime{
				0: {User: time.Second}, 1: {User: 500 * time.Millisecond}, 2: {User: 500 * time.Millisecond}, 3: {User: 2 * time.Second},
			}},
			"cpu  400 0 0 11600" + noStat + "cpu0 225 0 0 5775" + noStat + "cpu1 175 0 0 5825" + noStat,
		},
		{
			"stat, numbers by CPU that are newer than the sum", renderStat, "",
			View{Uptime: time.Second, CPUs: []int{0}, CPU: CPUTime{User: time.Second}, PerCPU: map[int]CPUTime{0: {User: 2 * time.Second}}},
			"cpu  200 0 0 0" + noStat + "cpu0 200 0 0 0" + noStat,
		},
		{
			"stat, times and tasks", renderStat, "btime 1\nprocesses 1\nprocs_running 1\nprocs_blocked 1\n",
			View{Wall: time.Unix(1000, 5), Uptime: 10 * time.Second, Tasks: Tasks{Total: 9, Running: 3, Blocked: 2, LastPID: 77}},
			"cpu  0 0 0 0" + noStat + "btime 990\nprocesses 77\nprocs_running 3\nprocs_blocked 2\n",
		},
		{
			"stat, a clock that was not set", renderStat, "btime 1\n",
			View{Wall: time.Unix(5, 0), Uptime: time.Minute},
			"cpu  0 0 0 0" + noStat + "btime 0\n",
		},

		{"meminfo of nothing", renderMeminfo, "", View{}, ""},
		{
			"meminfo, columns", renderMeminfo, "MemTotal:       1 kB\nShmemPmdMapped: 5 kB\nHugePages_Total:       7\nHardwareCorrupted:     9 kB\nHugepagesize:       2048 kB\n",
			View{Memory: Memory{Total: 123456789 << 10}},
			"MemTotal:       123456789 kB\nShmemPmdMapped:        0 kB\nHugePages_Total:       0\nHardwareCorrupted:     0 kB\nHugepagesize:       2048 kB\n",
		},
		{
			"meminfo, more than all", renderMeminfo, "MemFree: 1 kB\nMemAvailable: 1 kB\nCached: 1 kB\nActive: 1 kB\nSlab: 1 kB\nSwapFree: 1 kB\nCommitted_AS: 1 kB\n",
			View{Memory: Memory{Total: 1 << 20, Used: 2 << 20, SwapTotal: 4096, SwapUsed: 8192, Stat: map[string]uint64{
				"file": 5 << 20, "active_file": math.MaxUint64, "active_anon": 3, "slab_reclaimable": 1 << 19, "slab_unreclaimable": 1 << 30, "anon": 1 << 20,
			}}},
			"MemFree:               0 kB\nMemAvailable:       1024 kB\nCached:              512 kB\nActive:             1024 kB\nSlab:               1024 kB\nSwapFree:              0 kB\nCommitted_AS:       1028 kB\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := string(test.render([]byte(test.host), &test.view))
			if got != test.want {
				t.Errorf("got\n%swant\n%s", showTabs(got), showTabs(test.want))
			}
		})
	}
}

// showTabs shows tabs and missing ends of lines.
func showTabs(text string) string {
	return strings.ReplaceAll(text, "\t", "→") + "|\n"
}
