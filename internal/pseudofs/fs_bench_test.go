package pseudofs

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// BenchmarkRead is open, read, read, close by another process, as cat(1) does it.
func BenchmarkRead(b *testing.B) {
	f := serveFS(b, nil)
	for _, c := range []struct{ name, path string }{
		{"native uptime", "/proc/uptime"},
		{"uptime", f.path("proc/uptime")},
		{"native meminfo", "/proc/meminfo"},
		{"meminfo", f.path("proc/meminfo")},
		{"native sysctl", "/proc/sys/kernel/panic"},
		{"sysctl", f.path("proc/sys/kernel/panic")},
		{"network sysctl", f.path("proc/sys/net/core/rmem_max")},
	} {
		b.Run(c.name, func(b *testing.B) {
			out, err := child("bench", c.path, strconv.Itoa(b.N)).CombinedOutput()
			if err != nil {
				b.Fatal(err, string(out))
			}
			ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			must(b, err)
			b.ReportMetric(ns, "ns/op")
		})
	}
}

// childBench prints how many nanoseconds it takes to read a file, on average.
func childBench(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	buf := make([]byte, 8192)
	begin := time.Now()
	for range n {
		fd, err := unix.Open(args[0], unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		for {
			m, err := unix.Read(fd, buf)
			if err != nil {
				return err
			}
			if m == 0 {
				break
			}
		}
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	fmt.Println(float64(time.Since(begin).Nanoseconds()) / float64(n))
	return nil
}

func BenchmarkNew(b *testing.B) {
	f := serveFS(b, nil)
	dir := b.TempDir()
	for b.Loop() {
		c := f.Config
		c.Dir = dir
		f, err := New(c)
		must(b, err)
		b.StopTimer()
		must(b, f.Close())
		b.StartTimer()
	}
}

func BenchmarkCover(b *testing.B) {
	f := serveFS(b, nil)
	for _, first := range []bool{true, false} {
		b.Run(fmt.Sprintf("first=%v", first), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				fs := f
				if first {
					c := f.Config
					c.Dir = linuxtest.Dir(b)
					var err error
					fs, err = New(c)
					must(b, err)
				}
				_, root := newProc(b, "proc")
				if dir, err := linux.OpenPath(fs.Dir); err == nil {
					fs.list(dir) // has long been done when a container is created
					dir.Close()
				}
				must(b, linux.OnThread(func() error {
					b.StartTimer()
					err := fs.Cover(root, Proc)
					b.StopTimer()
					return err
				}))
				if first {
					must(b, fs.Close())
				}
				b.StartTimer()
			}
		})
	}
}

func BenchmarkNewInstance(b *testing.B) {
	f := serveFS(b, nil)
	f.Masked = []string{"/proc/kcore", "/proc/keys", "/proc/acpi", "/proc/timer_list", "/sys/firmware"}
	f.ReadOnly = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	for b.Loop() {
		b.StopTimer()
		mount := detached(b, "proc")
		b.StartTimer()
		tree, err := f.NewInstance(mount, Proc)
		must(b, err)
		b.StopTimer()
		tree.Close()
		mount.Close()
		b.StartTimer()
	}
}
