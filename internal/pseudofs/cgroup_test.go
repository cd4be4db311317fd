package pseudofs

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

var v1Controllers = []string{"memory", "cpu", "cpuacct", "cpuset", "blkio", "pids"}

// captured are the directories of a cgroup in testdata/cgroup, whose name begins
// with its version.
func captured(name string) map[string]string {
	dir := filepath.Join("testdata", "cgroup", name)
	if strings.HasPrefix(name, "v2") {
		return map[string]string{"": dir}
	}
	dirs := map[string]string{}
	for _, controller := range v1Controllers {
		dirs[controller] = dir
	}
	return dirs
}

func testCgroup(t testing.TB, dirs map[string]string) cgroup {
	t.Helper()
	linuxtest.NoLeak(t)
	group := openCgroup(dirs)
	t.Cleanup(group.close)
	return group
}

// bigHost has no limit that a captured cgroup would reach.
var bigHost = Memory{Total: 16 << 30, SwapTotal: 2 << 30}

func TestCaptured(t *testing.T) {
	const us = time.Microsecond
	for _, test := range []struct {
		name    string
		cpus    []int
		quota   int
		cpu     CPUTime
		perCPU  map[int]CPUTime
		memory  Memory // Stat has some of the lines
		devices []DeviceIO
		psi     string // how cpu begins
		threads int
	}{
		{
			name:  "v1-6.18",
			cpus:  []int{0, 1},
			quota: 2,
			cpu:   CPUTime{User: 262434098, System: 322995812},
			perCPU: map[int]CPUTime{
				0: {User: 0, System: 39421294},
				1: {User: 260576933, System: 285431683},
			},
			memory: Memory{
				Total: 256 << 20, Used: 145084416, SwapTotal: 2 << 30,
				Stat: map[string]uint64{
					"file": 88780800, "anon": 49139712, "shmem": 5242880, "file_mapped": 61440,
					"file_dirty": 3153920, "inactive_file": 66355200, "active_file": 17182720, "kernel": 6885376,
				},
			},
			devices: []DeviceIO{{Major: 7, Reads: 640, Writes: 60, ReadBytes: 41943040, WriteBytes: 41962496, DiscardOps: 18, DiscardBytes: 68669440}},
			threads: 3,
		},
		{
			name: "v2-6.1",
			cpus: []int{1, 3, 4, 5},
			cpu:  CPUTime{User: 4321495 * us, System: 14210031 * us},
			memory: Memory{
				Total: 96 << 20, Used: 76791808, SwapTotal: 128 << 20, SwapUsed: 5287936,
				Stat: map[string]uint64{"anon": 71647232, "file": 1441792, "swapcached": 761856, "slab_reclaimable": 2233648},
			},
			devices: []DeviceIO{{Major: 254, Reads: 2111, Writes: 1318, ReadBytes: 32714752, WriteBytes: 32559104, DiscardOps: 63, DiscardBytes: 7766007808}},
			psi:     "some avg10=0.51 ",
			threads: 6,
		},
		{
			name:  "v2-6.1-quota",
			cpus:  []int{0, 1},
			quota: 2,
			cpu:   CPUTime{User: 2787883 * us, System: 16819501 * us},
			memory: Memory{
				Total: 200 << 20, Used: 116195328, SwapTotal: 2 << 30,
				Stat: map[string]uint64{"anon": 72601600, "file": 39804928, "slab_reclaimable": 3157080, "kernel": 3788800},
			},
			devices: []DeviceIO{{Major: 254, Reads: 2114, Writes: 24, ReadBytes: 32804864, WriteBytes: 25174016, DiscardOps: 64, DiscardBytes: 8042831872}},
			psi:     "some avg10=30.92 ",
			threads: 6,
		},
		{
			name: "v2-6.12",
			cpus: []int{1, 3, 4, 5},
			cpu:  CPUTime{User: 2586913 * us, System: 5595875 * us},
			memory: Memory{
				Total: 96 << 20, Used: 74924032, SwapTotal: 128 << 20, SwapUsed: 7667712,
				Stat: map[string]uint64{"anon": 69492736, "file": 2207744, "percpu": 800},
			},
			devices: []DeviceIO{{Major: 254, Reads: 2185, Writes: 1898, ReadBytes: 33017856, WriteBytes: 32841728, DiscardOps: 62, DiscardBytes: 7837159424}},
			psi:     "some avg10=0.56 ",
			threads: 6,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			group := testCgroup(t, captured(test.name))
			for range 2 { // from files that get opened, and from those that are open
				memory := group.memory(bigHost)
				maps.DeleteFunc(memory.Stat, func(name string, _ uint64) bool { _, ok := test.memory.Stat[name]; return !ok })
				same(t, "memory", memory, test.memory)
				same(t, "cpus", group.cpus(), test.cpus)
				same(t, "quota", group.quota(), test.quota)
				same(t, "cpu", group.cpu(), test.cpu)
				same(t, "perCPU", group.perCPU(), test.perCPU)
				same(t, "devices", group.devices(), test.devices)
				same(t, "threads", group.threads(), test.threads)
				if psi := string(group.pressure("cpu")); !strings.HasPrefix(psi, test.psi) || psi != "" && test.psi == "" {
					t.Errorf("pressure: got %q, want %q…", psi, test.psi)
				}
			}
		})
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// tree writes files, by path, into a new directory, and gives it.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestAncestors has limits above the container's cgroup, and above what is a cgroup.
func TestAncestors(t *testing.T) {
	const none = "9223372036854771712"
	for _, test := range []struct {
		name   string
		files  map[string]string
		v1     bool
		memory Memory
		quota  int
		cpus   []int
	}{
		{
			name: "v2: the least counts",
			files: map[string]string{
				"memory.max":     "1\n", // not a cgroup: no cgroup.procs
				"r/cgroup.procs": "",
				"r/a/memory.max": "3000\n", "r/a/cpu.max": "50000 100000\n", "r/a/cgroup.procs": "", "r/a/memory.swap.max": "max\n",
				"r/a/b/memory.max": "9000\n", "r/a/b/cpu.max": "max 100000\n", "r/a/b/cgroup.procs": "", "r/a/b/memory.swap.max": "700\n",
				"r/a/b/c/memory.max": "max\n", "r/a/b/c/cpu.max": "200000 100000\n", "r/a/b/c/cgroup.procs": "", "r/a/b/c/memory.swap.max": "800\n",
				"r/a/cpuset.cpus.effective": "0-3,7\n", "r/a/b/c/cpuset.cpus.effective": "\n",
			},
			memory: Memory{Total: 3000, SwapTotal: 700},
			quota:  1,
			cpus:   []int{0, 1, 2, 3, 7},
		},
		{
			name:   "v2: none",
			files:  map[string]string{"r/a/b/c/memory.max": "max\n", "r/a/b/c/cpu.max": "max 100000\n", "r/a/b/c/memory.swap.max": "max"},
			memory: bigHost,
		},
		{
			name:   "v2: more than the host has",
			files:  map[string]string{"r/a/b/c/memory.max": "999999999999\n", "r/a/b/c/memory.swap.max": "999999999999\n"},
			memory: bigHost,
		},
		{
			name:   "v2: malformed",
			files:  map[string]string{"r/a/b/c/memory.max": "-1\n", "r/a/b/c/cpu.max": "x\n", "r/a/b/c/cpuset.cpus.effective": "3-\n", "r/a/b/c/memory.stat": "anon\nfile x\n\n"},
			memory: bigHost,
		},
		{
			name: "v1: quotas above",
			v1:   true,
			files: map[string]string{
				"r/cgroup.procs": "", "r/a/cgroup.procs": "", "r/a/b/cgroup.procs": "",
				"r/cpu.cfs_quota_us": "-1\n", "r/cpu.cfs_period_us": "100000\n",
				"r/a/cpu.cfs_quota_us": "250000\n", "r/a/cpu.cfs_period_us": "100000\n",
				"r/a/b/c/cpu.cfs_quota_us": "-1\n", "r/a/b/c/cpu.cfs_period_us": "100000\n",
				"r/cpuset.effective_cpus": "0-1\n",
				"r/a/b/c/memory.stat":     "hierarchical_memory_limit " + none + "\nhierarchical_memsw_limit " + none + "\n",
			},
			memory: bigHost,
			quota:  3,
			cpus:   []int{0, 1},
		},
		{
			name: "v1: memory and swap together",
			v1:   true,
			files: map[string]string{
				"r/a/b/c/memory.stat": "hierarchical_memory_limit 4096\nhierarchical_memsw_limit 10000\ntotal_swap 100\n",
			},
			memory: Memory{Total: 4096, SwapTotal: 5904, SwapUsed: 100, Stat: map[string]uint64{"swap": 100}},
		},
		{
			name: "v1: no swap",
			v1:   true,
			files: map[string]string{
				"r/a/b/c/memory.stat": "hierarchical_memory_limit 4096\nhierarchical_memsw_limit 4096\n",
			},
			memory: Memory{Total: 4096},
		},
		{
			name: "v1: no swappiness",
			v1:   true,
			files: map[string]string{
				"r/a/b/c/memory.stat": "hierarchical_memory_limit 4096\n", "r/a/b/c/memory.swappiness": "0\n",
			},
			memory: Memory{Total: 4096},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := tree(t, test.files)
			dir := filepath.Join(root, "r/a/b/c")
			dirs := map[string]string{"": dir}
			if test.v1 {
				dirs = map[string]string{"memory": dir, "cpu": dir, "cpuset": dir}
			}
			group := testCgroup(t, dirs)
			memory := group.memory(bigHost)
			if len(memory.Stat) == 0 {
				memory.Stat = nil
			}
			same(t, "memory", memory, test.memory)
			same(t, "quota", group.quota(), test.quota)
			same(t, "cpus", group.cpus(), test.cpus)
		})
	}
}

func TestNarrow(t *testing.T) {
	for _, test := range []struct {
		cpus     []int
		quota    int
		want     []int
		narrowed bool
	}{
		{[]int{0, 1, 2}, 0, []int{0, 1, 2}, false},
		{[]int{0, 1, 2}, 3, []int{0, 1, 2}, false},
		{[]int{0, 1, 2}, 9, []int{0, 1, 2}, false},
		{[]int{4, 6, 8}, 2, []int{4, 6}, true},
		{[]int{4, 6, 8}, quotaCPUs(1000, 100000), []int{4}, true},
		{[]int{4, 6, 8}, quotaCPUs(150000, 100000), []int{4, 6}, true},
		{[]int{4, 6, 8}, quotaCPUs(200000, 100000), []int{4, 6}, true},
		{[]int{4, 6, 8}, quotaCPUs(200001, 100000), []int{4, 6, 8}, false},
		{[]int{4, 6, 8}, quotaCPUs(1<<63, 1), []int{4, 6, 8}, false},
	} {
		got, narrowed := narrow(test.cpus, test.quota)
		if !slices.Equal(got, test.want) || narrowed != test.narrowed {
			t.Errorf("%v, %d: got %v %t, want %v %t", test.cpus, test.quota, got, narrowed, test.want, test.narrowed)
		}
	}
}

// TestHybrid has v1's controllers, and the unified hierarchy for what only it has.
func TestHybrid(t *testing.T) {
	const psi = "some avg10=0.00\n"
	root := tree(t, map[string]string{
		"memory/c/memory.usage_in_bytes": "4096\n", "memory/c/tasks": "1\n2\n",
		"unified/cgroup.procs": "1\n2\n3\n", "unified/cpu.pressure": "the host's",
		"unified/c/cgroup.procs": "1\n", "unified/c/cpu.pressure": psi, "unified/c/cgroup.events": "populated 1\nfrozen 0\n",
		"unified/e/cgroup.procs": "", "unified/e/cgroup.events": "populated 0\nfrozen 0\n",
	})
	for _, test := range []struct {
		name, unified, psi, list string
	}{
		{"its own", "c", psi, "cgroup.threads"},
		{"the root", ".", "", "tasks"},
		{"not joined", "e", "", "tasks"},
		{"none", "x", "", "tasks"},
	} {
		t.Run(test.name, func(t *testing.T) {
			group := testCgroup(t, map[string]string{
				"memory": filepath.Join(root, "memory/c"), "": filepath.Join(root, "unified", test.unified),
				"name=systemd": root,
			})
			same(t, "used", group.memory(bigHost).Used, uint64(4096))
			same(t, "pressure", string(group.pressure("cpu")), test.psi)
			same(t, "list", group.lists().name, test.list)
		})
	}
}

func TestDivide(t *testing.T) {
	for _, test := range []struct {
		name          string
		last, sampled CPUTime
		exact         time.Duration
		want          CPUTime
	}{
		{"nothing", CPUTime{}, CPUTime{}, 0, CPUTime{}},
		{"not sampled yet", CPUTime{}, CPUTime{}, 5, CPUTime{User: 5}},
		{"system only", CPUTime{}, CPUTime{System: 3}, 5, CPUTime{System: 5}},
		{"in proportion", CPUTime{}, CPUTime{User: 1, System: 3}, 100, CPUTime{User: 25, System: 75}},
		{"never less system", CPUTime{User: 10, System: 50}, CPUTime{User: 9, System: 1}, 100, CPUTime{User: 50, System: 50}},
		{"never less user", CPUTime{User: 50, System: 10}, CPUTime{User: 1, System: 9}, 100, CPUTime{User: 50, System: 50}},
		{"never less in all", CPUTime{User: 50, System: 60}, CPUTime{User: 1, System: 9}, 100, CPUTime{User: 50, System: 60}},
		{"a century on 1,000 CPUs", CPUTime{}, CPUTime{User: 1 << 60, System: 1 << 60}, 1 << 61, CPUTime{User: 1 << 60, System: 1 << 60}},
	} {
		if got := divide(test.last, test.sampled, test.exact); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
