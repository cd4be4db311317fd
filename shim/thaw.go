package shim

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// keepers are the settings of a cgroup by which a container can keep its own
// processes from dying of SIGKILL, once its cgroups are delegated to it: a frozen
// task of cgroup v1 does not see the signal, one that waits for a disk that it has
// throttled to a byte per second sees it when the disk is done, and one that may not
// run cannot even die. reset gives what is to be written, one write each, for what
// the file says now.
var keepers = []struct {
	controller string // as runc's state names it; "" is cgroup v2
	file       string
	reset      func(now string) []string
}{
	{"freezer", "freezer.state", func(string) []string { return []string{"THAWED"} }},
	{"blkio", "blkio.throttle.read_bps_device", forEachDevice("0")},
	{"blkio", "blkio.throttle.write_bps_device", forEachDevice("0")},
	{"blkio", "blkio.throttle.read_iops_device", forEachDevice("0")},
	{"blkio", "blkio.throttle.write_iops_device", forEachDevice("0")},
	{"cpu", "cpu.cfs_quota_us", func(string) []string { return []string{"-1"} }},
	{"cpu", "cpu.shares", func(string) []string { return []string{"1024"} }},
	{"", "cpu.max", func(string) []string { return []string{"max"} }},
	{"", "cpu.weight", func(string) []string { return []string{"100"} }},
	{"", "io.max", forEachDevice("rbps=max wbps=max riops=max wiops=max")},
}

// forEachDevice resets the setting of every device that a file lists.
func forEachDevice(value string) func(string) []string {
	return func(now string) (writes []string) {
		for line := range strings.Lines(now) {
			if device, _, ok := strings.Cut(line, " "); ok {
				writes = append(writes, device+" "+value)
			}
		}
		return writes
	}
}

// thaw lets the processes die that the container keeps alive in cgroups below its
// own, whose settings are runc's business. It is best effort: a cgroup that goes
// meanwhile keeps nobody.
func thaw(paths map[string]string) {
	for _, keeper := range keepers {
		if dir := paths[keeper.controller]; dir != "" {
			forEachCgroupBelow(dir, func(dir string) {
				file := filepath.Join(dir, keeper.file)
				now, err := os.ReadFile(file)
				if err != nil {
					return
				}
				for _, value := range keeper.reset(string(now)) {
					_ = os.WriteFile(file, []byte(value), 0)
				}
			})
		}
	}
}

func forEachCgroupBelow(dir string, fn func(dir string)) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			sub := filepath.Join(dir, e.Name())
			fn(sub)
			forEachCgroupBelow(sub, fn)
		}
	}
}

// thawUntil thaws again and again until ctx is done: a process that was not killed
// yet may freeze others that were. Each round of a dying container ends some.
func thawUntil(ctx context.Context, paths map[string]string) {
	const longest = 500 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		thaw(paths)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
