package integration

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// begin starts one more process in a container, and returns when it has said a word.
func begin(t *testing.T, d *testbed.Daemon, task *testbed.Task, word string, args ...string) client.Process {
	t.Helper()
	p, out, err := task.NewExec(deadline(t), nil, func(p *specs.Process) { p.Args = args })
	succeed(t, err)
	succeed(t, p.Start(d.Context(deadline(t))))
	t.Cleanup(func() { _, _ = p.Delete(d.Context(deadline(t)), killFirst) })
	eventually(t, strings.Join(args, " "), func() (string, bool) {
		return out.Stdout() + out.Stderr(), strings.Contains(out.Stdout(), word)
	})
	return p
}

// latencies is the probe's report, in nanoseconds.
type latencies struct{ TmpfsMedian, TmpfsMax, ProcMedian, ProcMax int64 }

// shimOf is the process that serves a container.
func shimOf(t *testing.T, d *testbed.Daemon, id string) int {
	t.Helper()
	shims, err := d.Shims(id)
	succeed(t, err)
	if len(shims) != 1 {
		t.Fatalf("shims of %s: %v", id, shims)
	}
	return shims[0].Pid
}

// openFiles are what a process has open, without the numbers. Files of cgroups are left out:
// the shim keeps those that it has read once.
func openFiles(t *testing.T, pid int) []string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd/", pid)
	var files []string
	for _, fd := range entriesOf(t, dir) {
		if file, err := os.Readlink(dir + fd); err == nil && !strings.HasPrefix(file, "/sys/fs/cgroup/") {
			files = append(files, regexp.MustCompile(`\d+`).ReplaceAllString(file, "N"))
		}
	}
	slices.Sort(files)
	return files
}

// wantNoMoreFiles waits until a process has no more open than before.
func wantNoMoreFiles(t *testing.T, pid int, before []string) {
	t.Helper()
	eventually(t, "what the shim has open", func() (string, bool) {
		now := openFiles(t, pid)
		return cmp.Diff(before, now), len(now) <= len(before)
	})
}

func threads(t *testing.T, pid int) int { return len(entriesOf(t, fmt.Sprintf("/proc/%d/task", pid))) }

// residentKiB is the memory of a process.
func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	_, status := table(readFile(t, fmt.Sprintf("/proc/%d/status", pid)))
	return int(status["VmRSS"])
}

// TestHostileAgent_Flood: a container that floods its agent with calls slows another one
// down no more than any work that takes as many processors, and its own runtime still
// answers. What is compared is a ratio of medians of one machine, of which the flood takes
// every processor.
func TestHostileAgent_Flood(t *testing.T) {
	d := bed(t)
	admin := func() testbed.Container { return testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}} }
	loud, quiet := start(t, d, admin()), start(t, d, admin())
	shim := shimOf(t, d, loud.ID)
	measure := func() latencies {
		return decode[latencies](t, exec(t, quiet, "/probe", "latency", "50"))
	}
	measure()
	before := measure()
	files := openFiles(t, shim)
	flood := begin(t, d, loud, "flooding", "/probe", "flood", "32")
	during := measure()
	t.Logf("before %+v, during %+v", before, during)
	// The quiet container waits its turn on processors that are all taken, 32 threads and
	// their agent. A runtime with one queue for all would be slower by thousands.
	const bound = 60
	if during.TmpfsMedian > bound*before.TmpfsMedian || during.ProcMedian > bound*before.ProcMedian {
		t.Errorf("during a flood in another container, calls take %+v, before %+v", during, before)
	}
	exec(t, loud, "cat", "/proc/uptime")
	if n := threads(t, shim); n > 64 {
		t.Errorf("the shim has %d threads for 32 that ask", n)
	}
	if kib := residentKiB(t, shim); kib > 100<<10 {
		t.Errorf("the shim has grown to %d kB", kib)
	}
	if _, err := flood.Delete(d.Context(deadline(t)), killFirst); err != nil {
		t.Error(err)
	}
	wantNoMoreFiles(t, shim, files)
}

// TestHostileAgent_TenThousandFiles: open pseudo-files are the kernel's business; the shim
// keeps nothing for them.
func TestHostileAgent_TenThousandFiles(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Spec: func(s *specs.Spec) {
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 20000, Soft: 20000}}
	}})
	shim := shimOf(t, d, task.ID)
	exec(t, task, "/probe", "open-many", "/proc/meminfo", "10")
	before, kib := len(openFiles(t, shim)), residentKiB(t, shim)
	for _, path := range []string{"/proc/meminfo", "/proc/sys/kernel/panic", "/sys/devices/system/cpu/online"} {
		texts := decode[map[string]string](t, exec(t, task, "/probe", "open-many", path, "10000"))
		for name, text := range texts {
			if text == "" {
				t.Errorf("the %s of 10,000 open %s is empty", name, path)
			}
		}
	}
	if after := len(openFiles(t, shim)); after > before+5 {
		t.Errorf("the shim has %d descriptors, before %d", after, before)
	}
	if after := residentKiB(t, shim); after > kib+20<<10 {
		t.Errorf("the shim has %d kB, before %d", after, kib)
	}
	exec(t, task, "cat", "/proc/uptime")
}

// TestHostileAgent_CallersKilled: who is killed in the middle of a call leaves nothing.
func TestHostileAgent_CallersKilled(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}})
	shim := shimOf(t, d, task.ID)
	exec(t, task, "/probe", "killed", "20") // what is opened at first use stays
	exec(t, task, "/probe", "latency", "10")
	files := openFiles(t, shim)
	report := decode[struct {
		Left  int
		Errno string
	}](t, exec(t, task, "/probe", "killed", "300"))
	if report.Left != 0 || report.Errno != "" {
		t.Errorf("%+v", report)
	}
	wantNoMoreFiles(t, shim, files)
	wantText(t, "mounts that are left", exec(t, task, "sh", "-c", "cut -d ' ' -f 5 /proc/self/mountinfo | grep -c ^/tmp/; true"), "0")
}

// TestHostileAgent_Signals: a call that is answered from outside is not cut short by a signal
// that has a handler with SA_RESTART, whenever it comes: what was done already is done once.
func TestHostileAgent_Signals(t *testing.T) {
	task := start(t, bed(t), testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}})
	report := decode[struct {
		Signals, Left int
		Failed        map[string]int
	}](t, exec(t, task, "/probe", "storm", "100"))
	if len(report.Failed) > 0 || report.Left > 0 || report.Signals < 50 {
		t.Errorf("%+v", report)
	}
	t.Logf("%d signals", report.Signals)
}

// TestHostileAgent_ShimKilled: the shim is killed while a container waits for its answers.
// Nothing hangs, and nothing is left (P22).
func TestHostileAgent_ShimKilled(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	for round := range 3 {
		task, err := d.Start(deadline(t), withRuntime(testbed.Container{Args: []string{"sleep", "100000"}, CapAdd: []string{"CAP_SYS_ADMIN"}}))
		succeed(t, err)
		begin(t, d, task, "flooding", "/probe", "flood", "8")
		begin(t, d, task, "holding", "/probe", "hold", "1")
		killShims(t, d, task.ID)
		deleteByID(t, d, task.ID)
		checkClean(t, d)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	run(t, d, testbed.Container{})
	if mounts := fuseMounts(t, d); len(mounts) > 0 {
		t.Errorf("mounts of the host: %v", mounts)
	}
}

// fuseMounts are the mounts of the host that could be a container's pseudo-files.
func fuseMounts(t *testing.T, d *testbed.Daemon) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	succeed(t, err)
	return slices.DeleteFunc(strings.Split(string(data), "\n"), func(line string) bool {
		return !strings.Contains(line, " - fuse") || !strings.Contains(line, "eci") && !strings.Contains(line, d.Dir)
	})
}

// TestHostileAgent_SecondListener: inside, a filter with a listener of its own is refused by
// the kernel, which is an error that can be told, and no end of the container.
func TestHostileAgent_SecondListener(t *testing.T) {
	task := start(t, bed(t), testbed.Container{Privileged: true})
	exec(t, task, "/probe", "sysinfo")
	report := decode[map[string]string](t, exec(t, task, "/probe", "listener"))
	if report["errno"] != "EBUSY" {
		t.Errorf("a second listener: %v", report)
	}
	exec(t, task, "/probe", "sysinfo")
}
