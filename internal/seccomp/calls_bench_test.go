package seccomp

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func init() { children["bench"] = childBench }

// benchCalls are what a container does in the benchmark, in the directory dir.
var benchCalls = []struct {
	name  string
	calls []string
	do    func(dir string) error
}{
	{"mount and umount of a tmpfs", []string{"mount", "umount2"}, func(dir string) error {
		return mountAndUnmount("tmpfs", dir, 0)
	}},
	{"mount and umount of a proc", []string{"mount", "umount2"}, func(dir string) error {
		return mountAndUnmount("proc", dir, unix.MNT_DETACH)
	}},
	{"fsopen of a tmpfs", []string{"fsopen"}, func(string) error {
		fs, err := linux.NewFS("tmpfs")
		if err == nil {
			err = fs.Close()
		}
		return err
	}},
	{"open_tree of a directory, move_mount, umount", []string{"open_tree", "move_mount", "umount2"}, func(dir string) error {
		tree, err := linux.OpenTree(nil, "/etc", false)
		if err != nil {
			return err
		}
		err = linux.MoveMountTo(tree, nil, dir)
		tree.Close()
		if err != nil {
			return err
		}
		return unix.Unmount(dir, unix.MNT_DETACH)
	}},
	{"sysinfo", []string{"sysinfo"}, func(string) error {
		var s unix.Sysinfo_t
		return unix.Sysinfo(&s)
	}},
	{"sched_getaffinity", []string{"sched_getaffinity"}, func(string) error {
		_, err := linux.Affinity(0, make([]byte, 128))
		return err
	}},
	{"sched_getaffinity of a number", []string{"sched_getaffinity"}, func(string) error {
		_, err := linux.Affinity(1, make([]byte, 128))
		return err
	}},
	{"mknod of a fifo", []string{"mknodat"}, func(dir string) error { return makeAndRemove(dir, unix.S_IFIFO|0o600, 0) }},
	{"mknod of a device", []string{"mknodat"}, func(dir string) error {
		return makeAndRemove(dir, chr|0o600, int(unix.Mkdev(1, 3)))
	}},
}

func mountAndUnmount(fstype, dir string, flags int) error {
	if err := unix.Mount(fstype, dir, fstype, 0, ""); err != nil {
		return err
	}
	return unix.Unmount(dir, flags)
}

func makeAndRemove(dir string, mode uint32, dev int) error {
	if err := unix.Mknodat(unix.AT_FDCWD, dir+"/node", mode, dev); err != nil {
		return err
	}
	return unix.Unlink(dir + "/node")
}

// childBench does call args[0] args[1] times, in args[2], with the filter if args[3] is "1",
// and prints how many nanoseconds that took.
func childBench(args []string) error {
	i, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if args[3] == "1" {
		if err := filtered(benchCalls[i].calls...); err != nil {
			return err
		}
	}
	start := time.Now()
	for range n {
		if err := benchCalls[i].do(args[2]); err != nil {
			return err
		}
	}
	fmt.Println(time.Since(start).Nanoseconds())
	return nil
}

// noFiles are no pseudo-files: what they cost is for package pseudofs to say.
type noFiles struct{}

func (noFiles) Instance(mount *os.File, _ string, _ bool) (*os.File, error) {
	return linux.OpenTree(mount, "", true)
}

func (noFiles) Dev() uint64 { return 1 }

// BenchmarkCalls times calls without the filter and with it.
func BenchmarkCalls(b *testing.B) {
	linuxtest.Root(b)
	dir := linuxtest.Tmpfs(b) + "/dir"
	must(b, os.Mkdir(dir, 0o755))
	must(b, os.Chown(dir, int(testRange.Base), int(testRange.Base)))
	c := owner(b, dir)
	c.Files = noFiles{}
	c.Sysinfo = func() (Sysinfo, error) { return Sysinfo{}, nil }
	c.CPUs = func() ([]int, bool, error) { return []int{0}, true, nil }
	for i, call := range benchCalls {
		for _, how := range []struct{ name, filter string }{{"native", "0"}, {"agent", "1"}} {
			if how.filter == "0" && call.name == "mknod of a device" {
				continue // EPERM
			}
			b.Run(call.name+"/"+how.name, func(b *testing.B) {
				out, err := c.run(b, "bench", strconv.Itoa(i), strconv.Itoa(b.N), dir, how.filter)
				if err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				ns, err := strconv.ParseFloat(out, 64)
				must(b, err)
				b.ReportMetric(ns/float64(b.N), "ns/op")
			})
		}
	}
}
