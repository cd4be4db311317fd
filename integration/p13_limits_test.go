package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// limits of a container; zero is none.
type limits struct {
	memory int64   // bytes
	cpus   string  // numbers of CPUs, as cgroup files have them
	quota  float64 // CPUs
}

// mebibytes are a limit of memory that no host of these tests has.
const mebibytes = 256

var (
	smallMemory = limits{memory: mebibytes << 20}
	oneCPU      = limits{cpus: "0"}
	oneQuota    = limits{quota: 1}
)

// resources are what the limits are in a spec, or in an update.
func (l limits) resources() *specs.LinuxResources {
	r := &specs.LinuxResources{}
	if l.memory != 0 {
		r.Memory = &specs.LinuxMemory{Limit: &l.memory}
	}
	if l.cpus != "" || l.quota != 0 {
		r.CPU = &specs.LinuxCPU{Cpus: l.cpus}
	}
	if l.quota != 0 {
		period, quota := uint64(100000), int64(l.quota*100000)
		r.CPU.Period, r.CPU.Quota = &period, &quota
	}
	return r
}

// limited gives a spec limits.
func limited(l limits) func(*specs.Spec) {
	return func(s *specs.Spec) {
		r := l.resources()
		s.Linux.Resources.Memory, s.Linux.Resources.CPU = r.Memory, r.CPU
	}
}

// update gives a running container other limits.
func update(t *testing.T, d *testbed.Daemon, task *testbed.Task, l limits) {
	t.Helper()
	if err := task.Task.Update(d.Context(deadline(t)), client.WithResources(l.resources())); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// eventually repeats a look until it is content, and fails with what it saw last.
func eventually(t *testing.T, what string, look func() (seen string, content bool)) {
	t.Helper()
	seen := ""
	for ctx := deadline(t); ctx.Err() == nil; {
		var content bool
		if seen, content = look(); content {
			return
		}
	}
	t.Errorf("%s: in the end it is %s", what, seen)
}

// readWrite leaves neither /sys nor a part of /proc read-only, so that settings can be
// written; what is masked stays so.
func readWrite(s *specs.Spec) {
	s.Linux.ReadonlyPaths = nil
	for i := range s.Mounts {
		if s.Mounts[i].Destination == "/sys" {
			s.Mounts[i].Options = slices.DeleteFunc(slices.Clone(s.Mounts[i].Options), func(o string) bool { return o == "ro" })
		}
	}
}

// table is a file of lines "Name: number unit", as /proc/meminfo is.
func table(text string) (names []string, numbers map[string]uint64) {
	numbers = map[string]uint64{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			continue
		}
		names = append(names, name)
		numbers[name], _ = strconv.ParseUint(fields[0], 10, 64)
	}
	return names, numbers
}

func meminfo(t *testing.T, task *testbed.Task) map[string]uint64 {
	t.Helper()
	_, numbers := table(exec(t, task, "cat", "/proc/meminfo"))
	return numbers
}

// cpuList is a list of CPUs as the kernel writes it: "0-1,3".
func cpuList(t *testing.T, text string) (cpus []int) {
	t.Helper()
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.Atoi(first)
		if err != nil {
			t.Fatalf("not a list of CPUs: %q", text)
		}
		to := from
		if isRange {
			if to, err = strconv.Atoi(last); err != nil {
				t.Fatalf("not a list of CPUs: %q", text)
			}
		}
		for ; from <= to; from++ {
			cpus = append(cpus, from)
		}
	}
	return cpus
}

// hostCPUs are the CPUs that are online here.
func hostCPUs(t *testing.T) []int {
	t.Helper()
	return cpuList(t, readFile(t, "/sys/devices/system/cpu/online"))
}

// needCPUs skips a test where the host has too few CPUs for it to mean anything.
func needCPUs(t *testing.T, n int) {
	t.Helper()
	if have := len(hostCPUs(t)); have < n {
		t.Skipf("needs %d CPUs to see fewer; the host has %d (/sys/devices/system/cpu/online)", n, have)
	}
}

// cgroupFile reads a file of a container's cgroup on the host: the first of names that one
// of its hierarchies has.
func cgroupFile(t *testing.T, d *testbed.Daemon, task *testbed.Task, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, dir := range testbed.CgroupDirs(d.Cgroup() + "/" + task.ID) {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				return string(data)
			}
		}
	}
	t.Fatalf("the cgroup of %s has none of %v", task.ID, names)
	return ""
}

// wantCPUs fails unless a list of CPUs is the wanted one.
func wantCPUs(t *testing.T, what string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s has the CPUs %v, want %v", what, got, want)
	}
}
