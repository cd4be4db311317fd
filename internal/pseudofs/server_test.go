package pseudofs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// withNode puts another node into the table for a test, which must not serve before.
func withNode(t testing.TB, n node) {
	t.Helper()
	nodes = append(nodes, n)
	rootEntries = makeRootEntries()
	t.Cleanup(func() {
		nodes = nodes[:len(nodes)-1]
		rootEntries = makeRootEntries()
	})
}

// TestPanic: a request that panics fails, and the next one does not.
func TestPanic(t *testing.T) {
	var broken atomic.Bool
	withNode(t, node{path: "proc/version", kind: view, mode: 0o444, valid: 1, render: func([]byte, *View) []byte {
		if broken.Load() {
			panic("broken")
		}
		return []byte("fine\n")
	}})
	var log bytes.Buffer
	var mu sync.Mutex
	f := serveFS(t, func(c *Config) {
		c.Logf = func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&log, format+"\n", args...)
		}
	})
	path := f.path("proc/version")
	for range 10 {
		broken.Store(false)
		time.Sleep(20 * time.Millisecond)
		want(t, path, "fine\n")
		broken.Store(true)
		err := error(nil)
		for end := time.Now().Add(5 * time.Second); err == nil && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
			_, err = os.ReadFile(path)
		}
		if !errors.Is(err, unix.EIO) {
			t.Error(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(log.String(), "broken") || !strings.Contains(log.String(), "server_test.go") {
		t.Errorf("no stack in %q", &log)
	}
}

// TestGoexit: a request whose goroutine ends fails, for who asks could not be killed.
func TestGoexit(t *testing.T) {
	withNode(t, node{path: "proc/version", kind: view, mode: 0o444, valid: 1, render: func([]byte, *View) []byte {
		runtime.Goexit()
		return nil
	}})
	path := serveFS(t, nil).path("proc/version")
	for range 2 * workers {
		read := make(chan error, 1)
		go func() {
			_, err := os.ReadFile(path)
			read <- err
		}()
		select {
		case err := <-read:
			if !errors.Is(err, unix.EIO) {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("there is no answer")
		}
	}
}

// TestWhole: of a text that changes, each read gets one rendering, even from eight readers
// that never rest and leave the server no processor. Where its length changes as well, a read
// at that very moment may get a wrong one, see doc.go. A machine that does not run the server for
// a while makes more of these moments, so the best of some tries counts.
func TestWhole(t *testing.T) {
	for name, c := range map[string]struct {
		length func(i int64) int
		torn   float64 // share of the reads, at most
	}{
		"same length":  {func(int64) int { return 2000 }, 0},
		"other length": {func(i int64) int { return 1 + int(i*7%2000) }, 0.005},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			withNode(t, node{path: "proc/version", kind: view, mode: 0o444, valid: quick, render: func([]byte, *View) []byte {
				i := n.Add(1)
				return []byte(strings.Repeat(strconv.FormatInt(i%10, 10), c.length(i)) + "\n")
			}})
			f := serveFS(t, nil)
			for try := 1; ; try++ {
				reads, torn := readWhole(t, f.path("proc/version"))
				t.Logf("%d reads of %d renderings, %d torn", reads, n.Load(), torn)
				if float64(torn) <= c.torn*float64(reads) {
					break
				}
				if c.torn == 0 || try == 5 {
					t.Errorf("%d of %d reads were torn", torn, reads)
					break
				}
			}
		})
	}
}

// readWhole reads a file that has one digit many times, and counts what is none.
func readWhole(t *testing.T, path string) (int64, int64) {
	_, err := os.ReadFile(path)
	must(t, err)
	var wg sync.WaitGroup
	var torn, reads atomic.Int64
	end := time.Now().Add(2 * time.Second)
	for range 8 {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for time.Now().Before(end) {
				fd, err := unix.Open(path, unix.O_RDONLY, 0)
				if err != nil {
					t.Error(err)
					return
				}
				m, err := unix.Read(fd, buf)
				unix.Close(fd)
				reads.Add(1)
				text := bytes.TrimSuffix(buf[:max(m, 0)], []byte("\n"))
				if err != nil || len(text) != m-1 || len(bytes.Trim(text, string(text[:1]))) != 0 {
					torn.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return reads.Load(), torn.Load()
}

// TestFlood: who opens ten thousand files of one container and reads with a thousand
// processes' worth of threads does not keep another container from its own.
func TestFlood(t *testing.T) {
	a, b := serveFS(t, nil), serveFS(t, nil)
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	files := min(10000, int(limit.Cur)-500)
	threads := threadCount(t)
	cmd := child("flood", a.path("proc/stat"), a.path("proc/sys/net/core/rmem_max"), strconv.Itoa(files))
	out, err := cmd.StdoutPipe()
	must(t, err)
	in, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	_, err = out.Read(make([]byte, 1))
	must(t, err)
	var worst time.Duration
	for range 200 {
		text, err := child("bench", b.path("proc/sys/net/core/rmem_max"), "1").Output()
		must(t, err)
		ns, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
		must(t, err)
		worst = max(worst, time.Duration(ns))
	}
	t.Logf("%d files open; the slowest read beside it took %v; %d threads, before %d", files, worst, threadCount(t), threads)
	if worst > time.Second {
		t.Errorf("a read took %v", worst)
	}
	must(t, in.Close())
	must(t, cmd.Wait())
}

// childFlood opens a file as often as it is told, and reads others in a thousand goroutines
// until its input ends.
func childFlood(args []string) error {
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for range n {
		if _, err := unix.Open(args[0], unix.O_RDONLY, 0); err != nil {
			return err
		}
	}
	for range 1000 {
		go func() {
			for {
				if err := childBenchQuiet(args[1]); err != nil {
					return
				}
			}
		}()
	}
	fmt.Print("x")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return nil
}

func childBenchQuiet(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Read(fd, make([]byte, 100))
	return err
}

func threadCount(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	must(t, err)
	return len(entries)
}

// TestCost measures what fifty file systems cost beside the kernel's part.
func TestCost(t *testing.T) {
	warm := serveFS(t, nil)
	_, err := os.ReadFile(warm.path("proc/stat"))
	must(t, err)
	memory := func() (own, resident int) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		text, err := os.ReadFile("/proc/self/statm")
		must(t, err)
		pages, err := strconv.Atoi(strings.Fields(string(text))[1])
		must(t, err)
		return int(m.HeapAlloc + m.StackInuse), pages * os.Getpagesize()
	}
	threads := threadCount(t)
	own, resident := memory()
	const count = 50
	for range count {
		f := serveFS(t, nil)
		for i := range nodes {
			if f.shows(&nodes[i]) {
				_, _ = os.ReadFile(f.path(nodes[i].path))
			}
		}
	}
	own2, resident2 := memory()
	cost := (own2 - own) / count
	t.Logf("%d KiB for each, all files read (resident: %d KiB); %d threads more for all", cost>>10, (resident2-resident)/count>>10, threadCount(t)-threads)
	if cost > 150<<10 {
		t.Errorf("a file system costs %d bytes", cost)
	}
}

// TestClose: what is still attached, or open, fails when nobody serves any more.
func TestClose(t *testing.T) {
	f := serveFS(t, nil)
	c := newContainer(t)
	c.cover(f)
	c.want("exec 5<proc/sys/kernel/panic; cat proc/uptime >/dev/null", "")
	must(t, f.Close())
	must(t, f.Close())
	c.contains("cat proc/uptime", "not connected")
	c.contains("cat <&5", "not connected")
	if err := linux.Detach(f.Dir); err == nil {
		t.Error("still mounted")
	}
}
