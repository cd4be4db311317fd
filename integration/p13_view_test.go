package integration

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// shown is a node of emulation.md that shows the container. check gets what is read inside,
// and on the host, where it is not empty.
type shown struct {
	path  string
	mode  string // "" is that of the host's
	check func(t *testing.T, inside, host string)
}

// views are read in a container with 256 MiB and CPU 0.
var views = []shown{
	{"/proc/uptime", "", checkUptime},
	{"/proc/meminfo", "", checkMeminfo},
	{"/proc/cpuinfo", "", checkCpuinfo},
	{"/proc/stat", "", checkStat},
	{"/proc/loadavg", "", checkLoadavg},
	{"/proc/diskstats", "", checkDiskstats},
	{"/proc/swaps", "", checkSwaps},
	{"/proc/pressure/cpu", "0444", checkPressure},
	{"/proc/pressure/io", "0444", checkPressure},
	{"/proc/pressure/memory", "0444", checkPressure},
	{"/sys/devices/system/cpu/online", "", checkOneCPU},
	{"/sys/devices/system/cpu/present", "", checkOneCPU},
	{"/sys/devices/system/cpu/possible", "", checkOneCPU},
	{"/sys/devices/virtual/dmi/id/product_uuid", "0400", checkUUID},
}

func TestP13_Views(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Spec: limited(limits{memory: mebibytes << 20, cpus: "0"})})
	for _, v := range views {
		t.Run(v.path, func(t *testing.T) {
			if wantAbsent(t, task, v.path) {
				return
			}
			host := nodes(t, probeHere(t, "stat", v.path))[v.path]
			inside := nodes(t, exec(t, task, "/probe", "stat", v.path))[v.path]
			want := v.mode
			if want == "" {
				want = host.Mode
			}
			if inside.Type != "-" || inside.Mode != want || inside.UID != 0 || inside.GID != 0 {
				t.Errorf("it is %v, want -%s 0:0", inside, want)
			}
			v.check(t, exec(t, task, "cat", v.path), readFile(t, v.path))
		})
	}
}

// wantAbsent tells that the host lacks a node, which then must not be inside either.
func wantAbsent(t *testing.T, task *testbed.Task, path string) bool {
	t.Helper()
	if exists(path) {
		return false
	}
	if inside := nodes(t, exec(t, task, "/probe", "stat", path))[path]; inside.Errno != "ENOENT" {
		t.Errorf("the host has no %s, the container has %v %s", path, inside, inside.Errno)
	}
	t.Logf("the host has no %s", path)
	return true
}

// probeHere runs the probe on the host.
func probeHere(t *testing.T, args ...string) string {
	t.Helper()
	return command(t, hostProbe(t), args...)
}

func checkUptime(t *testing.T, inside, host string) {
	up, idle := uptimes(t, inside)
	hostUp, hostIdle := uptimes(t, host)
	if up > hostUp || idle > hostIdle || idle > up+0.1 {
		t.Errorf("it is %q, on the host %q", inside, host)
	}
}

func checkMeminfo(t *testing.T, inside, host string) {
	names, have := table(inside)
	hostNames, _ := table(host)
	if !slices.Equal(names, hostNames) {
		t.Errorf("it has the lines %v, on the host %v", names, hostNames)
	}
	if strings.Count(inside, " kB\n") != strings.Count(host, " kB\n") {
		t.Errorf("not the units of the host:\n%s", inside)
	}
	total := uint64(mebibytes << 10)
	if have["MemTotal"] != total {
		t.Errorf("MemTotal is %d kB, want %d", have["MemTotal"], total)
	}
	for _, name := range []string{
		"MemFree", "MemAvailable", "Buffers", "Cached", "Active", "Inactive", "Active(anon)", "Inactive(anon)", "Active(file)", "Inactive(file)",
		"Unevictable", "Mlocked", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "KReclaimable", "Slab", "SReclaimable", "SUnreclaim", "KernelStack", "PageTables",
	} {
		if have[name] > total {
			t.Errorf("%s is %d kB of %d", name, have[name], total)
		}
	}
	if have["MemFree"] == 0 || have["MemAvailable"] < have["MemFree"] {
		t.Errorf("%d kB are free, %d available", have["MemFree"], have["MemAvailable"])
	}
	if have["SwapFree"] > have["SwapTotal"] {
		t.Errorf("%d kB of %d of swap are free", have["SwapFree"], have["SwapTotal"])
	}
}

func checkCpuinfo(t *testing.T, inside, host string) {
	wantCPUs(t, "cpuinfo", processors(t, inside), []int{0})
	first, _, _ := strings.Cut(inside, "\n\n")
	hostFirst, _, _ := strings.Cut(host, "\n\n")
	names, _ := table(first)
	hostNames, _ := table(hostFirst)
	if !slices.Equal(names, hostNames) {
		t.Errorf("it has the lines %v, on the host %v", names, hostNames)
	}
}

// processors are the CPUs in the text of cpuinfo.
func processors(t *testing.T, text string) []int {
	t.Helper()
	cpus := []int{}
	for _, m := range regexp.MustCompile(`(?m)^processor\s*:\s*(\d+)$`).FindAllStringSubmatch(text, -1) {
		cpus = append(cpus, atoi(t, m[1]))
	}
	return cpus
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	succeed(t, err)
	return n
}

// statCPUs are the CPUs in the text of /proc/stat, with their ticks.
func statCPUs(t *testing.T, text string) (cpus []int, all []uint64) {
	t.Helper()
	cpus = []int{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		number, ok := strings.CutPrefix(fields[0], "cpu")
		if ok && number != "" {
			cpus = append(cpus, atoi(t, number))
		}
		if ok && number == "" {
			for _, f := range fields[1:] {
				all = append(all, uint64(atoi(t, f)))
			}
		}
	}
	return cpus, all
}

func checkStat(t *testing.T, inside, host string) {
	cpus, ticks := statCPUs(t, inside)
	wantCPUs(t, "stat", cpus, []int{0})
	_, hostTicks := statCPUs(t, host)
	if len(ticks) != len(hostTicks) {
		t.Fatalf("%d columns, on the host %d", len(ticks), len(hostTicks))
	}
	for i, name := range []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"} {
		if ticks[i] > hostTicks[i]/2+1000 {
			t.Errorf("%s: %d ticks, on the host %d", name, ticks[i], hostTicks[i])
		}
	}
	keys := func(text string) (keys []string) {
		for line := range strings.Lines(text) {
			if key, _, _ := strings.Cut(line, " "); !strings.HasPrefix(key, "cpu") {
				keys = append(keys, key)
			}
		}
		return keys
	}
	if got, want := keys(inside), keys(host); !slices.Equal(got, want) {
		t.Errorf("it has the lines %v, on the host %v", got, want)
	}
	value := func(text, key string) int {
		_, rest, _ := strings.Cut("\n"+text, "\n"+key+" ")
		first, _, _ := strings.Cut(rest, "\n")
		return atoi(t, strings.Fields(first)[0])
	}
	for _, key := range []string{"processes", "ctxt", "intr"} {
		if mine, theirs := value(inside, key), value(host, key); theirs > 2000 && mine > theirs/2 {
			t.Errorf("%s is %d, on the host %d", key, mine, theirs)
		}
	}
	if n := value(inside, "procs_running"); n < 1 || n > 4 {
		t.Errorf("procs_running is %d in a container that sleeps", n)
	}
}

func checkLoadavg(t *testing.T, inside, host string) {
	var load [3]float64
	var runnable, total, last int
	if _, err := fmt.Sscanf(inside, "%f %f %f %d/%d %d\n", &load[0], &load[1], &load[2], &runnable, &total, &last); err != nil {
		t.Fatalf("not a loadavg: %q", inside)
	}
	if !regexp.MustCompile(`^\d+\.\d\d \d+\.\d\d \d+\.\d\d \d+/\d+ \d+\n$`).MatchString(inside) {
		t.Errorf("not the kernel's format: %q", inside)
	}
	if load[0] > 4 || runnable < 1 || runnable > total || total > 4 || last < 2 || last > 1000 {
		t.Errorf("it is %q in a container that sleeps, on the host %q", inside, host)
	}
}

func checkDiskstats(t *testing.T, inside, host string) {
	hostDevices := map[string][]string{}
	for line := range strings.Lines(host) {
		f := strings.Fields(line)
		hostDevices[f[2]] = f
	}
	for line := range strings.Lines(inside) {
		f := strings.Fields(line)
		theirs, ok := hostDevices[f[2]]
		if !ok || len(f) != len(theirs) || f[0] != theirs[0] || f[1] != theirs[1] {
			t.Errorf("the line %q is none of a device of the host", line)
			continue
		}
		for _, column := range []int{3, 5, 7, 9} { // reads, sectors, writes, sectors
			if mine, all := atoi(t, f[column]), atoi(t, theirs[column]); mine > all || all > 10000 && mine > all/2 {
				t.Errorf("column %d of %s is %d, on the host %d", column+1, f[2], mine, all)
			}
		}
		if f[3] == "0" && f[7] == "0" {
			t.Errorf("a device that was not used: %q", line)
		}
	}
	if host != "" && inside == host {
		t.Error("it is the host's")
	}
}

// checkSwaps: the container has no swap by its limits, or the host has none.
func checkSwaps(t *testing.T, inside, host string) {
	header, rest, _ := strings.Cut(inside, "\n")
	hostHeader, hostRest, _ := strings.Cut(host, "\n")
	if header != hostHeader {
		t.Errorf("the header is %q, on the host %q", header, hostHeader)
	}
	if hostRest == "" && rest != "" || hostRest != "" && rest == hostRest {
		t.Errorf("it has %q, the host %q", rest, hostRest)
	}
}

func checkPressure(t *testing.T, inside, host string) {
	const line = ` avg10=\d+\.\d\d avg60=\d+\.\d\d avg300=\d+\.\d\d total=(\d+)\n`
	lines := regexp.MustCompile(`(?:some|full)`+line).FindAllStringSubmatch(inside, -1)
	hostLines := regexp.MustCompile(`(?:some|full)`+line).FindAllStringSubmatch(host, -1)
	if len(lines) == 0 || len(lines) != len(hostLines) {
		t.Fatalf("not a pressure file: %q, on the host %q", inside, host)
	}
	for i := range lines {
		mine, theirs := atoi(t, lines[i][1]), atoi(t, hostLines[i][1])
		if theirs > 1000000 && mine > theirs/2 {
			t.Errorf("it is %q, on the host %q", lines[i][0], hostLines[i][0])
		}
	}
}

func checkOneCPU(t *testing.T, inside, _ string) { wantText(t, "the list", inside, "0") }

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$`)

func checkUUID(t *testing.T, inside, host string) {
	if !uuidPattern.MatchString(inside) || strings.EqualFold(strings.TrimSpace(inside), strings.TrimSpace(host)) {
		t.Errorf("it is %q, on the host %q", inside, host)
	}
}

// Each container has a product UUID of its own, which stays, and only its root may read it.
func TestP13_ProductUUID(t *testing.T) {
	const path = "/sys/devices/virtual/dmi/id/product_uuid"
	if !exists(path) {
		t.Skipf("the host has no %s", path)
	}
	d := bed(t)
	a, b := start(t, d, testbed.Container{}), start(t, d, testbed.Container{})
	first := exec(t, a, "cat", path)
	wantText(t, "the second look", exec(t, a, "cat", "/sys/class/dmi/id/product_uuid"), strings.TrimSpace(first))
	if first == exec(t, b, "cat", path) {
		t.Errorf("two containers have %q", first)
	}
	if out := tryOpen(t, a, 1000, path, "<"); !strings.Contains(out, "Permission denied") {
		t.Errorf("another user: %s", out)
	}
}

// emptied are directories of /sys that have what is the host's alone.
var emptied = []string{"/sys/kernel/config", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security"}

// They are empty, whatever is mounted there on the host, also for who has all capabilities
// and in a new sysfs.
func TestP13_HostsDirectoriesAreEmpty(t *testing.T) {
	d := bed(t)
	for _, privileged := range []bool{false, true} {
		task := start(t, d, testbed.Container{Privileged: privileged, CapAdd: []string{"CAP_SYS_ADMIN"}})
		exec(t, task, "sh", "-ec", "mkdir /s; mount -t sysfs sysfs /s")
		for _, path := range emptied {
			for _, at := range []string{path, "/s" + strings.TrimPrefix(path, "/sys")} {
				if !exists(path) {
					if n := nodes(t, exec(t, task, "/probe", "stat", at))[at]; n.Errno != "ENOENT" {
						t.Errorf("the host has no %s, the container has %v", path, n)
					}
					continue
				}
				if out := exec(t, task, "ls", "-A", at); out != "" {
					t.Errorf("privileged=%t: %s has %q", privileged, at, out)
				}
			}
		}
	}
}

// Without limits, the container sees what the host has, and not what the host uses.
func TestP13_NoLimits(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	have := meminfo(t, task)
	_, host := table(readFile(t, "/proc/meminfo"))
	if have["MemTotal"] != host["MemTotal"] {
		t.Errorf("MemTotal is %d, on the host %d", have["MemTotal"], host["MemTotal"])
	}
	if have["Cached"] > host["Cached"]/2+1024 && host["Cached"] > 100<<10 {
		t.Errorf("Cached is %d kB, on the host %d", have["Cached"], host["Cached"])
	}
	wantCPUs(t, "cpuinfo", processors(t, exec(t, task, "cat", "/proc/cpuinfo")), hostCPUs(t))
	wantText(t, "online", exec(t, task, "cat", "/sys/devices/system/cpu/online"), strings.TrimSpace(readFile(t, "/sys/devices/system/cpu/online")))
}

// One file at a time: what is not in the table is the kernel's own, so that reading all of
// /proc/sys costs what it costs on the host.
func TestP13_OneFileAtATime(t *testing.T) {
	task := start(t, bed(t), testbed.Container{Spec: readWrite})
	out := exec(t, task, "stat", "-f", "-c", "%T %n", "/proc/version", "/proc/self/status", "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/vm/drop_caches", "/proc/filesystems")
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "proc ") {
			t.Errorf("not of the kernel: %s", line)
		}
	}
	covered := strings.Fields(exec(t, task, "awk", "$5 ~ /^.proc.sys/ { print $5 }", "/proc/self/mountinfo"))
	if len(covered) == 0 || len(covered) > 60 || slices.Contains(covered, "/proc/sys") {
		t.Errorf("mounts below /proc/sys: %v", covered)
	}
}
