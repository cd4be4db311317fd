package seccomp

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() { children["cost"] = childCost }

// costs are what BenchmarkMounts does: a call, and one that takes it back.
var costs = []struct {
	name     string
	do, undo func(dir string) error
}{
	{
		"tmpfs",
		func(dir string) error { return unix.Mount("none", dir+"/p", "tmpfs", 0, "") },
		func(dir string) error { return unix.Unmount(dir+"/p", 0) },
	},
	{
		"bind",
		func(dir string) error { return unix.Mount(dir+"/q", dir+"/p", "", unix.MS_BIND, "") },
		func(dir string) error { return unix.Unmount(dir+"/p", 0) },
	},
	{
		"rbind",
		func(dir string) error { return unix.Mount(dir+"/q", dir+"/p", "", unix.MS_BIND|unix.MS_REC, "") },
		func(dir string) error { return unix.Unmount(dir+"/p", unix.MNT_DETACH) },
	},
	{
		"proc",
		func(dir string) error { return unix.Mount("proc", dir+"/p", "proc", 0, "") },
		func(dir string) error { return unix.Unmount(dir+"/p", 0) },
	},
	{
		"fsopen",
		func(string) error {
			fd, err := unix.Fsopen("tmpfs", 0)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		},
		func(string) error { return nil },
	},
}

// childCost does one of costs args[1] times, in a directory, with the agent, or with one that
// lets all pass, or without, and prints
// the medians of the calls, in nanoseconds: the processors of test machines have pauses.
func childCost(args []string) error {
	i, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	dir := args[2]
	switch args[3] {
	case "agent":
		if err := handOver(mountCalls...); err != nil {
			return err
		}
	case "waved":
		listener, err := handedOver(true, mountCalls...)
		if err != nil {
			return err
		}
		if err := waveThrough(listener); err != nil {
			return err
		}
	}
	var done, undone []time.Duration
	for range n {
		start := time.Now()
		if err := costs[i].do(dir); err != nil {
			return err
		}
		middle := time.Now()
		if err := costs[i].undo(dir); err != nil {
			return err
		}
		done, undone = append(done, middle.Sub(start)), append(undone, time.Since(middle))
	}
	slices.Sort(done)
	slices.Sort(undone)
	fmt.Println(done[n/2].Nanoseconds(), undone[n/2].Nanoseconds())
	return nil
}

// BenchmarkMounts times mount(2) and umount2(2) without an agent, with one that does nothing, and
// with this one, whose instances of proc have 35 files and two directories mounted on them.
func BenchmarkMounts(b *testing.B) {
	box := newBox(b, func(c *Config) { c.OnlyKilled = true })
	must(b, os.Mkdir(box.dir+"/p", 0o755))
	must(b, os.Mkdir(box.dir+"/q", 0o755))
	for i, c := range costs {
		var native float64
		for _, how := range []string{"native", "waved", "agent"} {
			b.Run(c.name+"/"+how, func(b *testing.B) {
				out := box.start("cost", strconv.Itoa(i), strconv.Itoa(b.N), box.dir, how).all(b)
				do, undo, _ := strings.Cut(out, " ")
				first, err := strconv.ParseFloat(do, 64)
				must(b, err)
				second, err := strconv.ParseFloat(undo, 64)
				must(b, err)
				b.ReportMetric(first, "ns/do")
				b.ReportMetric(second, "ns/undo")
				b.ReportMetric(first+second, "ns/op")
				if how == "native" {
					native = first + second
				} else {
					b.ReportMetric((first+second)/native, "ratio")
				}
			})
		}
	}
}
