package seccomp

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// hooked are files that call a function first.
type hooked struct {
	Files
	before func()
}

func (h hooked) Instance(mount *os.File, fstype string, plain bool) (*os.File, error) {
	h.before()
	return h.Files.Instance(mount, fstype, plain)
}

// hook changes what a box does before it covers an instance.
func hook(before func()) func(*Config) {
	return func(c *Config) { c.Files = hooked{c.Files, before} }
}

// TestKilledInside: a caller that is killed while its mount is made leaves nothing.
func TestKilledInside(t *testing.T) {
	linuxtest.NoLeak(t)
	entered, leave := make(chan bool), make(chan bool)
	b := newBox(t, hook(func() { entered <- true; <-leave }))
	must(t, os.Mkdir(b.dir+"/p", 0o755))
	p := b.start("keeper", "mount proc p proc")
	<-entered
	fmt.Fprintln(p.stdin, "kill")
	p.line(t)
	leave <- true
	waitIdle(t, b)
	fmt.Fprintln(p.stdin, "below p")
	if got := p.line(t); got != "below p = 0" {
		t.Error(got)
	}
}

// waitIdle waits until no request is looked at.
func waitIdle(t testing.TB, b *box) {
	t.Helper()
	late := time.After(10 * time.Second)
	for range parallel {
		select {
		case b.agent.c.slots <- struct{}{}:
		case <-late:
			t.Fatal("requests are still looked at")
		}
	}
	for range parallel {
		<-b.agent.c.slots
	}
}

// TestKilled: a caller that is killed at any moment leaves all of a mount, or nothing.
func TestKilled(t *testing.T) {
	linuxtest.NoLeak(t)
	b := newBox(t)
	must(t, os.Mkdir(b.dir+"/p", 0o755))
	rounds := 100
	if testing.Short() {
		rounds = 10
	}
	threads := countThreads(t)
	for i := range rounds {
		p := b.start("keeper", strings.Split(strings.Repeat("mount proc p proc\numount p\n", 500), "\n")[:1000]...)
		time.Sleep(2*time.Millisecond + time.Duration(i)*137*time.Microsecond)
		fmt.Fprintln(p.stdin, "kill")
		p.line(t)
		waitIdle(t, b)
		fmt.Fprintln(p.stdin, "below p")
		if got := p.line(t); got != "below p = 0" && got != "below p = 38" {
			t.Fatal(got)
		}
		p.end()
	}
	if now := countThreads(t); now > threads+20 {
		t.Errorf("%d threads, before there were %d", now, threads)
	}
}

func countThreads(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	must(t, err)
	return len(entries)
}

// TestStorm: calls that signals interrupt and that are made again have one effect.
func TestStorm(t *testing.T) {
	linuxtest.NoLeak(t)
	rounds := "300"
	if testing.Short() || raceEnabled {
		rounds = "50"
	}
	for _, how := range []string{"killable", "interruptible"} {
		b := newBox(t)
		must(t, os.Mkdir(b.dir+"/p", 0o755))
		got := b.start("storm", rounds, "38", how).all(t)
		if got != "0" {
			t.Errorf("%s: %s done twice", how, got)
		}
	}
}

// TestPanic: a handler that panics fails its call, and no other.
func TestPanic(t *testing.T) {
	linuxtest.NoLeak(t)
	var n atomic.Int32
	b := newBox(t, hook(func() {
		if n.Add(1) <= 2*parallel {
			panic("test")
		}
	}), func(c *Config) { c.Logf = nil })
	must(t, os.Mkdir(b.dir+"/p", 0o755))
	lines := slices.Repeat([]string{"mount proc p proc"}, 2*parallel+1)
	got := b.script(true, lines...)
	if strings.Count(got, "= ENOSYS") != 2*parallel || !strings.HasSuffix(got, "= done") {
		t.Error(got)
	}
}

// TestCloseWhileBusy: the end of an agent waits for nobody. Callers get ENOSYS, and what they
// asked for is not done any more.
func TestCloseWhileBusy(t *testing.T) {
	linuxtest.NoLeak(t)
	entered, leave := make(chan bool), make(chan bool)
	b := newBox(t, hook(func() { entered <- true; <-leave }))
	must(t, os.Mkdir(b.dir+"/p", 0o755))
	p := b.start("script", "agent", "mount proc p proc", "fsopen tmpfs", "below p")
	<-entered
	must(t, b.agent.Close())
	if got, want := p.all(t), "mount proc p proc = ENOSYS\nfsopen tmpfs = ENOSYS\nbelow p = 0"; got != want {
		t.Errorf("got %s", got)
	}
	leave <- true
	waitIdle(t, b)
	if _, err := net.Dial("unix", b.path); err == nil {
		t.Error("the socket is still there")
	}
}

// TestHanging: requests that hang, as many as are looked at, hold up neither another container
// nor the end of their agent.
func TestHanging(t *testing.T) {
	linuxtest.NoLeak(t)
	entered, leave := make(chan bool), make(chan bool)
	hanging := newBox(t, hook(func() { entered <- true; <-leave }))
	must(t, os.Mkdir(hanging.dir+"/p", 0o755))
	for range parallel {
		hanging.start("script", "agent", "mount proc p proc")
		<-entered
	}
	other := newBox(t)
	if got := other.script(true, "mkdir p", "mount proc p proc", "umount p"); strings.Count(got, "done") != 2 {
		t.Error(got)
	}
	must(t, hanging.agent.Close())
	close(leave)
	waitIdle(t, hanging)
}

// TestFlood: one container that makes calls as fast as it can leaves room for another one.
func TestFlood(t *testing.T) {
	n := 50000
	if testing.Short() || raceEnabled {
		n = 5000
	}
	linuxtest.NoLeak(t)
	flooding, other := newBox(t), newBox(t)
	asks := other.start("ask", "2000", "print")
	asks.line(t)
	alone := latencies(t, asks.line(t))
	flood := flooding.start("flood", strconv.Itoa(n), "8")
	flood.line(t)
	asks = other.start("ask", "1000", "print")
	asks.line(t)
	crowded := latencies(t, asks.line(t))
	start := time.Now()
	if got := flood.line(t); got != "end" {
		t.Error(got)
	}
	middle := func(d []int) int { return d[len(d)/2] }
	t.Logf("alone: median %d µs, worst %d µs; beside a flood of %d calls: median %d µs, 99%% %d µs, worst %d µs; the flood took %v more",
		middle(alone), alone[len(alone)-1], n, middle(crowded), crowded[len(crowded)*99/100], crowded[len(crowded)-1], time.Since(start))
	if worst := crowded[len(crowded)*99/100]; worst > 200_000 {
		t.Errorf("99%% of the calls of another container took up to %d µs", worst)
	}
}

// latencies are numbers of a line, in order.
func latencies(t *testing.T, line string) []int {
	t.Helper()
	var all []int
	for word := range strings.FieldsSeq(line) {
		n, err := strconv.Atoi(word)
		must(t, err)
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// TestMemory: a string that cannot be read is the kernel's to refuse.
func TestMemory(t *testing.T) {
	linuxtest.NoLeak(t)
	b := newBox(t)
	native, agent := b.start("memory").all(t), b.start("memory", "agent").all(t)
	if agent != strings.ReplaceAll(native, "fsopen: done", "fsopen: ENOSYS") || strings.Count(agent, "\n") != 9 {
		t.Errorf("native\n%s\n\nwith the agent\n%s", native, agent)
	}
}

// TestHandshake: what is not the state of a process with a listener is no listener.
func TestHandshake(t *testing.T) {
	linuxtest.NoLeak(t)
	logged := make(chan string, 100)
	b := newBox(t, func(c *Config) { c.Logf = func(format string, args ...any) { logged <- fmt.Sprintf(format, args...) } })
	null, err := os.Open("/dev/null")
	must(t, err)
	defer null.Close()
	for _, tt := range []struct {
		name, message string
		files         int
	}{
		{"nothing", "", 0},
		{"no JSON", "hello", 0},
		{"half of it", `{"fds":["seccompFd"`, 1},
		{"no descriptor", `{"fds":["seccompFd"]}`, 0},
		{"no name", `{"fds":[]}`, 1},
		{"another name", `{"fds":["pidFd"]}`, 1},
		{"a wrong type", `{"fds":7}`, 1},
		{"too few", `{"fds":["pidFd","seccompFd"]}`, 1},
		{"too many", `{"fds":["seccompFd"]}`, 100},
		{"no listener", `{"fds":["seccompFd"]}`, 1},
	} {
		b.agent.c.lines.mu.Lock()
		b.agent.c.lines.n = 0
		b.agent.c.lines.mu.Unlock()
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: b.path, Net: "unix"})
		must(t, err)
		var rights []byte
		if tt.files > 0 {
			rights = unix.UnixRights(slices.Repeat([]int{int(null.Fd())}, tt.files)...)
		}
		if tt.message != "" {
			_, _, err = conn.WriteMsgUnix([]byte(tt.message), rights, nil)
			must(t, err)
		}
		must(t, conn.CloseWrite())
		if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
			t.Errorf("%s: %q, %v", tt.name, rest, err)
		}
		must(t, conn.Close())
		select {
		case <-logged:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: nothing was logged", tt.name)
		}
	}
	// It still listens.
	if got := b.script(true, "fsopen proc"); got != "fsopen proc = ENOSYS" {
		t.Error(got)
	}
}

// TestPath: where there is no room for a socket, there is no agent.
func TestPath(t *testing.T) {
	linuxtest.NoLeak(t)
	for _, path := range []string{"", filepath.Join(t.TempDir(), "missing", "agent"), "/" + strings.Repeat("x", 200)} {
		if a, err := Listen(Config{Path: path}); err == nil {
			t.Errorf("%q: listens", path)
			must(t, a.Close())
		}
	}
}

// TestEnds: when the last process of a filter is gone, so is what answered it.
func TestEnds(t *testing.T) {
	linuxtest.NoLeak(t)
	b := newBox(t)
	before := runtime.NumGoroutine()
	for range 20 {
		b.script(true, "fsopen tmpfs")
	}
	for range 500 {
		b.agent.mu.Lock()
		left := len(b.agent.listeners)
		b.agent.mu.Unlock()
		if left == 0 && runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("listeners: %d, goroutines: %d, before %d", len(b.agent.listeners), runtime.NumGoroutine(), before)
}
