package pseudofs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

const needAll = NeedCPUs | NeedCPU | NeedPerCPU | NeedLoad | NeedTasks | NeedMemory | NeedDevices | NeedPressure

func testSource(t testing.TB) *Source {
	t.Helper()
	linuxtest.NoLeak(t)
	now, err := linux.Boottime()
	if err != nil {
		t.Fatal(err)
	}
	s := NewSource(now - 10*time.Second)
	t.Cleanup(func() { s.Close() })
	return s
}

func mustView(t testing.TB, s *Source, need Need) *View {
	t.Helper()
	v, err := s.View(need)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWithoutContainer has the host's size, and no use of it.
func TestWithoutContainer(t *testing.T) {
	s := testSource(t)
	v := mustView(t, s, needAll)
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "CPUs", v.CPUs, parseCPUs(online))
	if v.Uptime < 10*time.Second || v.Uptime > time.Minute {
		t.Errorf("uptime %v", v.Uptime)
	}
	if v.Memory.Total == 0 {
		t.Error("no memory")
	}
	v.Memory.Total, v.Memory.SwapTotal = 0, 0
	same(t, "memory", v.Memory, Memory{})
	same(t, "CPU", v.CPU, CPUTime{})
	same(t, "tasks", v.Tasks, Tasks{})
	same(t, "load", v.Load, [3]float64{})
	if v.Devices != nil || v.PSI != nil || v.PerCPU != nil {
		t.Errorf("%v %v %v", v.Devices, v.PSI, v.PerCPU)
	}
}

// TestNeed collects only what is asked for.
func TestNeed(t *testing.T) {
	s := testSource(t)
	s.SetContainer(captured("v2-6.12"), os.Getpid())
	v := mustView(t, s, 0)
	if v.CPUs != nil || v.CPU != (CPUTime{}) || v.Memory.Total != 0 || v.Tasks != (Tasks{}) || v.Devices != nil || v.PSI != nil {
		t.Errorf("got %+v", v)
	}
	if sampling(s) {
		t.Error("samples though nobody asked for the load")
	}
	if open := len(s.group.(*cgroupV2).dirs.byName[""].files); open != 0 {
		t.Errorf("%d files were opened", open)
	}
}

// TestSum has the time of all CPUs as the sum of each, where the kernel has both.
func TestSum(t *testing.T) {
	s := testSource(t)
	s.SetContainer(captured("v1-6.18"), os.Getpid())
	v := mustView(t, s, NeedPerCPU)
	same(t, "sum", v.CPU.User+v.CPU.System, 585429910*time.Nanosecond)
	same(t, "sum of CPUs", sumCPUs(v.PerCPU), v.CPU)
	same(t, "alone", mustView(t, s, NeedCPU).CPU, CPUTime{User: 262434098, System: 322995812})
}

func TestSysinfo(t *testing.T) {
	s := testSource(t)
	s.SetContainer(captured("v2-6.1-quota"), os.Getpid())
	got, err := s.Sysinfo()
	if err != nil {
		t.Fatal(err)
	}
	v := mustView(t, s, NeedMemory|NeedLoad|NeedTasks)
	meminfo := string(renderMeminfo([]byte("MemTotal: 0 kB\nMemFree: 0 kB\nShmem: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"), v))
	for name, n := range map[string]uint64{
		"MemTotal": got.TotalRAM, "MemFree": got.FreeRAM, "Shmem": got.SharedRAM,
		"SwapTotal": got.TotalSwap, "SwapFree": got.FreeSwap,
	} {
		want := string(appendMemoryLine(nil, []byte(name), n/1024, true))
		if !strings.Contains(meminfo, want) {
			t.Errorf("%q is not in\n%s", want, meminfo)
		}
	}
	same(t, "loads", got.Loads, v.Load)
	same(t, "procs", got.Procs, 6)
	if got.TotalRAM != 200<<20 || got.Uptime < 10*time.Second {
		t.Errorf("%+v", got)
	}
}

// TestVanished has a container that ends while it is read.
func TestVanished(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	if err := os.CopyFS(dir, os.DirFS(captured("v2-6.12")[""])); err != nil {
		t.Fatal(err)
	}
	s := testSource(t)
	s.clock = func() time.Duration { return time.Hour }
	s.SetContainer(map[string]string{"": dir}, os.Getpid())
	if v := mustView(t, s, needAll); v.Memory.Used == 0 || v.Tasks.Total != 6 || v.Memory.Total != 96<<20 {
		t.Fatalf("%+v", v)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.group.close() // files that are open do not vanish in a directory
	s.forget()
	v := mustView(t, s, needAll)
	if v.Memory.Used != 0 || v.Tasks.Total != 0 || v.CPU != (CPUTime{}) || len(v.CPUs) == 0 || v.Memory.Total == 0 {
		t.Errorf("%+v", v)
	}
}

func TestClosed(t *testing.T) {
	s := testSource(t)
	s.SetContainer(captured("v1-6.18"), os.Getpid())
	mustView(t, s, needAll)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s.SetContainer(captured("v1-6.18"), os.Getpid())
	_, err1 := s.View(NeedLoad)
	_, err2 := s.Sysinfo()
	_, _, err3 := s.CPUs()
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	s := testSource(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				if n == 10 && i == 0 {
					s.SetContainer(captured("v1-6.18"), os.Getpid())
				}
				if v, err := s.View(needAll); err == nil {
					renderMeminfo([]byte("MemFree: 1 kB\n"), v)
				}
				s.CPUs()
				if n == 40 && i == 7 {
					s.Close()
				}
			}
		})
	}
	wg.Wait()
}

func TestHold(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	for _, test := range []struct {
		name  string
		costs []time.Duration
		want  time.Duration // of the last
	}{
		{"new", []time.Duration{ms}, 0},
		{"cheap", []time.Duration{5 * us, 6 * us}, 5 * ms},
		{"waited for a CPU once", []time.Duration{5 * us, 900 * ms}, 5 * ms},
		{"and it is over", []time.Duration{5 * us, 900 * ms, 5 * us}, 5 * ms},
		{"expensive", []time.Duration{2 * ms, 3 * ms}, 2 * time.Second},
		{"very expensive", []time.Duration{100 * ms, 100 * ms}, paceMax},
	} {
		var p paced[int]
		var got time.Duration
		for _, cost := range test.costs {
			got = p.hold(cost)
		}
		if got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// TestPaced collects again when the time is over.
func TestPaced(t *testing.T) {
	n := 0
	collect := func(*Source) int { n++; return n }
	p := paced[int]{until: 10}
	for _, test := range []struct {
		now  time.Duration
		want int
	}{{9, 0}, {10, 1}, {time.Hour, 2}} {
		if got := p.get(nil, test.now, collect); got != test.want {
			t.Errorf("at %d: got %d, want %d", test.now, got, test.want)
		}
	}
}

func TestDiskNames(t *testing.T) {
	proc := tree(t, map[string]string{"diskstats": "   8       0 sda 1 2\n   8      16 sdb 1 2\n   7       0 loop0 1\nx\n"})
	m := hostMachine{proc: proc}
	used := func() []DeviceIO {
		return []DeviceIO{{Major: 7}, {Major: 9}, {Major: 8, Minor: 16}}
	}
	names := func(now time.Duration) (names []string) {
		for _, d := range m.name(used(), now) {
			names = append(names, d.Name)
		}
		return names
	}
	if got := names(time.Hour); !slices.Equal(got, []string{"sdb", "loop0"}) {
		t.Errorf("got %v", got)
	}
	if err := os.WriteFile(filepath.Join(proc, "diskstats"), []byte("   9       0 md0 1 2\n   8      16 sdx 1 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := names(time.Hour + time.Second/2); !slices.Equal(got, []string{"sdb", "loop0"}) {
		t.Errorf("got %v, want the old ones: the list is read once a second at most", got)
	}
	if got := names(time.Hour + 2*time.Second); !slices.Equal(got, []string{"md0", "sdx"}) {
		t.Errorf("got %v, want the new ones", got)
	}
}
