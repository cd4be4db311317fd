package pseudofs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

const cgroupMount = "/sys/fs/cgroup"

// kernelCgroup makes a cgroup of its own in every hierarchy of the machine; below
// "" is the unified one.
func kernelCgroup(t testing.TB) map[string]string {
	t.Helper()
	linuxtest.Root(t)
	name := "eci-test-source-" + strconv.Itoa(os.Getpid())
	dirs := map[string]string{}
	mk := func(controller, parent string) {
		dir := filepath.Join(parent, name)
		if _, err := os.Stat(filepath.Join(parent, "cgroup.procs")); err != nil {
			return
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			linuxtest.Missing(t, err.Error())
		}
		t.Cleanup(func() { removeCgroup(t, dir) })
		dirs[controller] = dir
	}
	mk("", cgroupMount)
	if dirs[""] != "" {
		return dirs
	}
	mk("", filepath.Join(cgroupMount, "unified"))
	for _, controller := range v1Controllers {
		mk(controller, filepath.Join(cgroupMount, controller))
	}
	if len(dirs) == 0 {
		linuxtest.Missing(t, "no cgroups at "+cgroupMount)
	}
	if dirs["cpuset"] != "" {
		set(t, dirs, "cpuset", "cpuset.mems", "0")
		set(t, dirs, "cpuset", "cpuset.cpus", strings.TrimSpace(string(readAt(t, cgroupMount+"/cpuset/cpuset.effective_cpus"))))
	}
	return dirs
}

// removeCgroup removes a cgroup, whose last process may be about to end.
func removeCgroup(t testing.TB, dir string) {
	var err error
	for range 200 {
		if err = os.Remove(dir); err == nil || os.IsNotExist(err) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error(err)
}

func readAt(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// set writes a file of a cgroup, and tells whether it is there.
func set(t testing.TB, dirs map[string]string, controller, name, value string) bool {
	t.Helper()
	path := filepath.Join(dirs[controller], name)
	if _, err := os.Stat(path); err != nil || dirs[controller] == "" {
		return false
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
	return true
}

// run starts a process as number 1 of a new pid namespace, in the cgroups.
func run(t testing.TB, dirs map[string]string, script string) (cmd *exec.Cmd, stop func()) {
	t.Helper()
	cmd = exec.Command("sh", "-c", "read start; "+script)
	start, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(stop)
	for _, dir := range dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintln(start)
	start.Close()
	return cmd, stop
}

// TestKernel has a container of two processes, one of them busy, with limits.
func TestKernel(t *testing.T) {
	dirs := kernelCgroup(t)
	s := testSource(t)
	const limit = 64 << 20
	limited := set(t, dirs, "memory", "memory.limit_in_bytes", strconv.Itoa(limit)) ||
		set(t, dirs, "", "memory.max", strconv.Itoa(limit))
	quota := set(t, dirs, "cpu", "cpu.cfs_quota_us", "100000") || set(t, dirs, "", "cpu.max", "100000 100000")

	cmd, stop := run(t, dirs, "sleep 1000 & while :; do :; done")
	s.SetContainer(dirs, cmd.Process.Pid)
	var v *View
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		v = mustView(t, s, needAll)
		used := v.CPU.User + v.CPU.System
		if used >= 100*time.Millisecond && v.Load[0] > 0 {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("it used %v of CPU time in a minute, load %v", used, v.Load)
		}
	}
	if v.PerCPU != nil {
		same(t, "sum", sumCPUs(v.PerCPU), v.CPU)
	}
	want := Tasks{Total: 2, Running: 1, LastPID: 2}
	same(t, "tasks", v.Tasks, want)
	if limited {
		same(t, "memory limit", v.Memory.Total, uint64(limit))
		if v.Memory.Used == 0 || v.Memory.Used > limit || v.Memory.Stat["anon"] == 0 {
			t.Errorf("memory: %+v", v.Memory)
		}
	}
	cpus, narrowed, err := s.CPUs()
	if err != nil || !slices.Equal(cpus, v.CPUs) {
		t.Errorf("got %v, %v, and %v in the view", cpus, err, v.CPUs)
	}
	if host := s.machine.cpus(); quota && (len(cpus) != 1 || narrowed != (len(host) > 1)) {
		t.Errorf("got CPUs %v, narrowed %t", cpus, narrowed)
	}
	if v.Load[0] <= 0 {
		t.Errorf("load %v", v.Load)
	}
	testInner(t, s, dirs, cmd.Process.Pid)

	stop()
	for _, dir := range dirs {
		removeCgroup(t, dir)
	}
	s.forget()
	v = mustView(t, s, needAll)
	if v.Memory.Used != 0 || v.Tasks.Total != 0 || v.CPU != (CPUTime{}) || len(v.CPUs) == 0 {
		t.Errorf("after its end: %+v", v)
	}
}

// testInner moves the busy process into a cgroup that the container made.
func testInner(t *testing.T, s *Source, dirs map[string]string, pid int) {
	t.Helper()
	for controller, dir := range dirs {
		inner := filepath.Join(dir, "inner")
		if err := os.Mkdir(inner, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeCgroup(t, inner) })
		for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
			if controller == "cpuset" {
				set(t, map[string]string{"cpuset": inner}, "cpuset", name, string(readAt(t, filepath.Join(dir, name))))
			}
		}
		if err := os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	before := mustView(t, s, NeedCPU).CPU
	time.Sleep(200 * time.Millisecond)
	s.forget()
	v := mustView(t, s, NeedTasks|NeedCPU)
	same(t, "tasks", v.Tasks, Tasks{Total: 2, Running: 1, LastPID: 2})
	if v.CPU.User+v.CPU.System <= before.User+before.System {
		t.Errorf("what the inner cgroup uses does not count: %v, then %v", before, v.CPU)
	}
	// The cgroups of the container can only go after those in them.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		removeCgroup(t, filepath.Join(dir, "inner"))
	}
}

// BenchmarkView is the time that the views of files take, without rendering, in a
// real cgroup. Each time, everything is collected.
func BenchmarkView(b *testing.B) {
	dirs := kernelCgroup(b)
	s := testSource(b)
	cmd, _ := run(b, dirs, "sleep 1000 & sleep 1000 & sleep 1000 & wait")
	s.SetContainer(dirs, cmd.Process.Pid)
	for _, bench := range []struct {
		name string
		need Need
	}{
		{"uptime", NeedCPUs | NeedCPU},
		{"meminfo", NeedMemory},
		{"stat", NeedCPUs | NeedPerCPU | NeedTasks},
		{"loadavg", NeedLoad | NeedTasks},
		{"cpuinfo", NeedCPUs},
		{"diskstats", NeedDevices},
		{"pressure", NeedPressure},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.forget()
				if _, err := s.View(bench.need); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/again", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.View(bench.need); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
