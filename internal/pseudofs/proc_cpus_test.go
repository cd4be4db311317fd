package pseudofs

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FuzzCPUs asks, of whatever CPUs and times: stat has a line for each CPU and one for
// all, which has the sum of what was used; idle time is never more than there was;
// cpuinfo has only their blocks; the lists name them.
func FuzzCPUs(f *testing.F) {
	f.Add(readGolden(f, "testdata/render/6.12-8cpu/host/proc/stat"), readGolden(f, "testdata/render/6.12-8cpu/host/proc/cpuinfo"), uint64(0b1011), int64(time.Hour), int64(time.Minute), uint64(1))
	f.Add([]byte("cpu"), []byte("processor\t: 3\n\nprocessor:x\n\n"), ^uint64(0), int64(-1), int64(-1), uint64(0))
	f.Add([]byte("btime\ncpu  1\nintr 5 6\n"), []byte("\n\n"), uint64(1), int64(1)<<62, int64(1)<<62, uint64(3))
	f.Fuzz(func(t *testing.T, stat, cpuinfo []byte, set uint64, up, used int64, seed uint64) {
		v := &View{Wall: time.Unix(1_800_000_000, 0), Uptime: time.Duration(up)}
		for n := range 64 {
			if set&(1<<n) != 0 {
				v.CPUs = append(v.CPUs, n)
			}
		}
		if len(v.CPUs) == 0 {
			return
		}
		v.CPU = CPUTime{User: time.Duration(used), System: time.Duration(used / 2)}
		if seed%2 == 1 {
			r := rand.New(rand.NewPCG(seed, 0))
			v.PerCPU = map[int]CPUTime{}
			for n := range 64 {
				v.PerCPU[n] = CPUTime{User: time.Duration(r.Int64N(1 << 50)), System: time.Duration(r.Int64N(1 << 50))}
			}
		}
		checkStat(t, v, renderStat(stat, v))
		checkCpuinfo(t, v, renderCpuinfo(cpuinfo, v))
		if got := parseList(t, string(renderCPUList(nil, v))); !slices.Equal(got, v.CPUs) {
			t.Errorf("the list says %v, not %v", got, v.CPUs)
		}
		checkUptime(t, v, string(renderUptime(nil, v)))
	})
}

func checkStat(t *testing.T, v *View, got []byte) {
	t.Helper()
	var names []string
	var sum, all [4]uint64
	for line := range bytes.Lines(got) {
		if !bytes.HasPrefix(line, []byte("cpu")) {
			continue
		}
		fields := strings.Fields(string(line))
		if len(fields) != 11 {
			t.Fatalf("%q has %d fields", line, len(fields))
		}
		names = append(names, fields[0])
		var numbers [4]uint64
		for i := range numbers {
			n, err := strconv.ParseUint(fields[i+1], 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			numbers[i] = n
			if len(names) > 1 {
				sum[i] += n
			}
		}
		if len(names) == 1 {
			all = numbers
		}
	}
	want := []string{"cpu"}
	for _, n := range v.CPUs {
		want = append(want, "cpu"+strconv.Itoa(n))
	}
	if !slices.Equal(names, want) {
		t.Fatalf("lines %v, want %v", names, want)
	}
	count := uint64(len(v.CPUs))
	for _, i := range []int{0, 2} { // less than a tick of each CPU is lost, once more where it is a part
		if sum[i] > all[i] || all[i] > sum[i]+2*count {
			t.Errorf("field %d: all CPUs %d, their sum %d", i, all[i], sum[i])
		}
	}
	if all[3] > ticks(v.Uptime)*count {
		t.Errorf("idle for %d of %d ticks", all[3], ticks(v.Uptime)*count)
	}
}

func checkCpuinfo(t *testing.T, v *View, got []byte) {
	t.Helper()
	for line := range bytes.Lines(got) {
		key, value, found := strings.Cut(string(line), ":")
		if !found || strings.TrimRight(key, " \t") != "processor" {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err != nil || !slices.Contains(v.CPUs, n) {
			t.Errorf("%q is none of %v", line, v.CPUs)
		}
	}
}

func checkUptime(t *testing.T, v *View, got string) {
	t.Helper()
	var numbers [2]float64
	for i, field := range strings.Fields(got) {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil || n < 0 || i > 1 {
			t.Fatalf("%q", got)
		}
		numbers[i] = n
	}
	if numbers[1] > numbers[0]*float64(len(v.CPUs))*(1+1e-9) {
		t.Errorf("%q on %d CPUs", got, len(v.CPUs))
	}
}

// parseList reads the list format of cpuset(7).
func parseList(t *testing.T, list string) (cpus []int) {
	t.Helper()
	for item := range strings.SplitSeq(strings.TrimSuffix(list, "\n"), ",") {
		first, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || from > to {
			t.Fatalf("%q", list)
		}
		for n := from; n <= to; n++ {
			cpus = append(cpus, n)
		}
	}
	return cpus
}
