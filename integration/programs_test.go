package integration

import (
	"context"
	"errors"
	"os"
	"regexp"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// The tests TestPrograms_… run what people run in containers: packages of Debian, unchanged.

// imports bring images of Debian into the shared bed, each once.
var imports = map[string]func() error{
	testbed.ProgramsName:  sync.OnceValue(func() error { return importDebian(testbed.ProgramsName) }),
	testbed.WorkloadsName: sync.OnceValue(func() error { return importDebian(testbed.WorkloadsName) }),
	testbed.SystemsName:   sync.OnceValue(func() error { return importDebian(testbed.SystemsName) }),
}

func importDebian(name string) error {
	d, err := sharedBed()
	if err != nil {
		return err
	}
	return d.ImportDebian(context.Background(), name)
}

// programs starts a container of the image of programs, which sleeps.
func programs(t *testing.T, c testbed.Container) *testbed.Task {
	t.Helper()
	c.Image = testbed.ProgramsName
	return startDebian(t, c)
}

// startDebian starts a container of an image of Debian, which sleeps.
func startDebian(t *testing.T, c testbed.Container) *testbed.Task {
	t.Helper()
	d := debianBed(t, c.Image)
	c.Env = append(c.Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TERM=xterm", "HOME=/root")
	return start(t, d, c)
}

// programsBed is the shared bed with the image of programs in it.
func programsBed(t *testing.T) *testbed.Daemon {
	t.Helper()
	return debianBed(t, testbed.ProgramsName)
}

// debianBed is the shared bed with an image of Debian in it.
func debianBed(t *testing.T, name string) *testbed.Daemon {
	t.Helper()
	d := bed(t)
	err := imports[name]()
	if errors.Is(err, testbed.ErrNoImage) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	succeed(t, err)
	return d
}

// shell runs a script with Debian's sh.
func shell(t *testing.T, task *testbed.Task, script string) string {
	t.Helper()
	return exec(t, task, "sh", "-ec", script)
}

// shellAny is shell for a script that may fail; its output is both streams'.
func shellAny(t *testing.T, task *testbed.Task, script string) (string, uint32) {
	t.Helper()
	result, err := task.Exec(deadline(t), "sh", "-c", script)
	succeed(t, err)
	return result.Stdout + result.Stderr, result.Code
}

// printed is a program and what it has to print.
type printed struct {
	name   string
	script string
	want   []string // patterns; each has to match
	never  []string // patterns that must not
}

// check runs the program, with its errors in what it prints.
func (p printed) check(t *testing.T, task *testbed.Task) {
	t.Helper()
	out := shell(t, task, "exec 2>&1; "+p.script)
	for _, pattern := range p.want {
		if !regexp.MustCompile("(?m)" + pattern).MatchString(out) {
			t.Errorf("%s: no %q in\n%s", p.name, pattern, out)
		}
	}
	for _, pattern := range p.never {
		if regexp.MustCompile("(?m)" + pattern).MatchString(out) {
			t.Errorf("%s: %q in\n%s", p.name, pattern, out)
		}
	}
	if os.Getenv("ECI_TEST_SHOW") != "" {
		t.Logf("%s", out)
	}
}

// memoryPrograms run with 256 MiB.
var memoryPrograms = []printed{
	{"free", "free -k; free -m", []string{`^Mem: +262144 `, `^Mem: +256 +\d+ +[12]?\d?\d `}, nil},
	{"top", "top -bn1", []string{`^MiB Mem : +256\.0 total, +[12]?\d?\d\.\d free`, `^Tasks: +[1-5] total`, `up 0 min|up  ?0:0|up \d+ s`}, nil},
	{"vmstat", "vmstat -s; vmstat 1 1", []string{`^ +262144 K total memory`, `\d+ +\d+ +\d+ +\d+`}, nil},
	{"ps", "ps aux; ps -eo pid,pmem,etimes,lstart,comm", []string{`^root +1 `}, []string{`Error|error`}},
	{"pmap", "pmap -x 1", []string{`total kB`}, nil},
	{"slabtop", "slabtop -o 2>&1 | head -3 || true", nil, nil},
	{"busybox free", "/bin/busybox free -m", []string{`^Mem: +256 `}, nil},
	{"busybox top", "/bin/busybox top -bn1 | head -4", []string{`^Mem: \d{1,6}K used, \d{1,6}K free`}, nil},
	{"java, by the kernel", "java -Xlog:gc+init -version", []string{`Memory: 256M`, `Heap Max Capacity: (6[0-9]|12[0-9]|11[0-9]|6[0-9])M`}, nil},
	{"node", `node -e 'const os=require("os"); console.log(os.totalmem(), os.freemem() < os.totalmem(), process.constrainedMemory && process.constrainedMemory())'`, []string{`^268435456 true`}, nil},
	{"python", `python3 -c 'import os; print(os.sysconf("SC_PHYS_PAGES")*os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_AVPHYS_PAGES")*os.sysconf("SC_PAGE_SIZE") < 2**28)'`, []string{`^268435456 True`}, nil},
	{"df", "df; df -a >/dev/null; df -h /", []string{`/$`}, []string{`cannot|denied|/proc/(meminfo|uptime|sys)`}},
	{"findmnt", "findmnt; findmnt /proc", []string{`^/proc +proc +proc`, `/proc/meminfo`}, []string{`error`}},
	{"mount", "mount", []string{` on /proc type proc`}, nil},
	{"swapon", "swapon --show; cat /proc/swaps", []string{`^Filename`}, nil},
}

func TestPrograms_Memory(t *testing.T) {
	task := programs(t, testbed.Container{Spec: limited(smallMemory)})
	for _, p := range memoryPrograms {
		t.Run(p.name, func(t *testing.T) { p.check(t, task) })
	}
}

// cpuPrograms run with one CPU, by a cpuset or by a quota.
var cpuPrograms = []printed{
	{"nproc", "nproc; nproc --all", []string{`^1\n1$`}, nil},
	{"getconf", "getconf _NPROCESSORS_ONLN; getconf _NPROCESSORS_CONF", []string{`^1\n1$`}, nil},
	{"lscpu", "lscpu; lscpu -p=CPU", []string{`^CPU\(s\): +1$`, `^On-line CPU\(s\) list: +0$`, `^0$`}, []string{`^1$`}},
	{"top", "top -bn1 -1 | head -8", []string{`^%Cpu0 `}, []string{`%Cpu1`}},
	{"mpstat", "mpstat -P ALL; mpstat -P ALL 1 1", []string{`^[0-9:]+( [AP]M)? +all `, `^[0-9:]+( [AP]M)? +0 `}, []string{`^[0-9:]+( [AP]M)? +1 `}},
	{"iostat", "iostat; iostat -x 1 1; iostat -c", []string{`^avg-cpu`}, []string{`Cannot|denied`}},
	{"sar", "sar -u ALL -P ALL 1 1; sar -r 1 1; sar -q 1 1", []string{`kbmemfree`}, []string{`Cannot`}},
	{"vmstat", "vmstat", []string{`procs`}, nil},
	{"java", "java -Xlog:gc+init -version", []string{`CPUs: 1 total, 1 available`}, nil},
	{"node", `node -e 'const os=require("os"); console.log(os.cpus().length, os.availableParallelism ? os.availableParallelism() : 1)'`, []string{`^1 1$`}, nil},
	{"python", `python3 -c 'import os; print(os.cpu_count(), len(os.sched_getaffinity(0)))'`, []string{`^1 1$`}, nil},
	{"go", "/probe cpus | tr -d ' \\n'; echo", []string{`"allowed":\[0\],"goMaxProcs":1,"numCPU":1`}, nil},
	{"busybox nproc", "/bin/busybox nproc", []string{`^1$`}, nil},
}

func TestPrograms_CPUs(t *testing.T) {
	needCPUs(t, 2)
	for name, l := range map[string]limits{"cpuset": oneCPU, "quota": oneQuota} {
		t.Run(name, func(t *testing.T) {
			task := programs(t, testbed.Container{Spec: limited(l)})
			for _, p := range cpuPrograms {
				t.Run(p.name, func(t *testing.T) { p.check(t, task) })
			}
		})
	}
}

// timePrograms tell how long the container is up, and its load.
var timePrograms = []printed{
	{"uptime", "uptime; uptime -p", []string{` up 0 min| up +\d+ s`, `load average: [0-3]\.\d\d, `}, nil},
	{"uptime -s", `test $(($(date +%s) - $(date -d "$(uptime -s)" +%s))) -lt 120; echo young`, []string{`^young$`}, nil},
	{"w", "w", []string{` up 0 min| up +\d+ s`, `^USER`}, nil},
	{"who -b", "who -b; true", nil, []string{`cannot`}},
	{"ps", `ps -o etimes= -p 1 | awk '$1 > 120 { exit 1 }'; test $(($(date +%s) - $(date -d "$(ps -o lstart= -p 1)" +%s))) -lt 120; echo young`, []string{`^young$`}, nil},
	{"start and boot", `ps -o lstart= -p 1 >/dev/null; b=$(awk '/btime/ {print $2}' /proc/stat); s=$(date -d "$(ps -o lstart= -p $$)" +%s); n=$(date +%s); test $((n - s)) -le 2; test $((s - n)) -le 2; test $b -le $((s + 1)); echo agree`, []string{`^agree$`}, nil},
	{"node", `node -e 'const os=require("os"); console.log(os.uptime() < 120, os.loadavg().every(l => l < 4))'`, []string{`^true true$`}, nil},
	{"busybox uptime", "/bin/busybox uptime", []string{` up 0 min`}, nil},
	{"tload", "cat /proc/loadavg", []string{`^[0-3]\.\d\d [0-3]\.\d\d [0-3]\.\d\d \d/\d+ \d+$`}, nil},
}

func TestPrograms_Time(t *testing.T) {
	task := programs(t, testbed.Container{})
	for _, p := range timePrograms {
		t.Run(p.name, func(t *testing.T) { p.check(t, task) })
	}
}

// htop draws on a terminal, until it is told to go. It counts the directories of CPUs in
// /sys, and so has a meter for each of the host's; those that are hidden stay at 0.
func TestPrograms_Htop(t *testing.T) {
	d := programsBed(t)
	task := programs(t, testbed.Container{Spec: limited(limits{memory: mebibytes << 20, cpus: "0"})})
	in, feed, err := os.Pipe()
	succeed(t, err)
	defer feed.Close()
	p, out, err := task.NewExec(deadline(t), in, func(p *specs.Process) {
		p.Terminal = true
		p.Args = []string{"env", "LINES=40", "COLUMNS=140", "htop"}
	})
	succeed(t, err)
	ctx := d.Context(deadline(t))
	exited, err := p.Wait(ctx)
	succeed(t, err)
	succeed(t, p.Start(ctx))
	defer func() { _, _ = p.Delete(ctx, killFirst) }()
	plain := func() string {
		return regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]`).ReplaceAllString(out.Stdout(), "")
	}
	// In the first second, the uptime is unknown to it.
	shows := regexp.MustCompile(`(?s)/256M.*Uptime: ?00:0\d:\d\d|(?s)/256M.*00:0\d:\d\d`)
	eventually(t, "htop", func() (string, bool) { return plain(), shows.MatchString(plain()) })
	_, err = feed.WriteString("q")
	succeed(t, err)
	if status := <-exited; status.ExitCode() != 0 {
		t.Errorf("htop ended with %d", status.ExitCode())
	}
}

// Java reads its cgroup, where one is mounted, and comes to the same. A limit that is not
// smaller than the machine is none, it says.
func TestPrograms_JavaWithCgroup(t *testing.T) {
	needCPUs(t, 2)
	task := programs(t, testbed.Container{Spec: limited(limits{memory: mebibytes << 20, quota: 1}), Mounts: []specs.Mount{{
		Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "ro"},
	}}})
	printed{"java", "java -XshowSettings:system -Xlog:gc+init -version", []string{`Effective CPU Count: 1$`, `Memory Limit: (256\.00M|Unlimited)$`, `Memory: 256M`, `CPUs: 1 total, 1 available`}, nil}.check(t, task)
}
