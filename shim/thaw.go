package shim

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keeper is a setting of a cgroup.
type keeper struct {
	controller string // as runc's state names it; "" is cgroup v2
	file       string
	reset      func(now string) []string
}

// keepers are the settings of a cgroup by which a container can keep its own
// processes from dying of SIGKILL, once its cgroups are delegated to it: a frozen
// task of cgroup v1 does not see the signal, one that waits for a disk that it has
// throttled to a byte per second sees it when the disk is done, and one that may not
// run cannot even die. reset gives what is to be written, one write each, for what
// the file says now.
var keepers = []keeper{
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
func thaw(ctx context.Context, paths map[string]string) {
	for controller, dir := range paths {
		if !slices.ContainsFunc(keepers, func(k keeper) bool { return k.controller == controller }) {
			continue
		}
		forEachCgroupBelow(ctx, dir, func(cgroup *os.File) {
			for _, k := range keepers {
				if k.controller == controller {
					k.undo(cgroup)
				}
			}
		})
	}
}

// undo resets the setting of one cgroup.
func (k keeper) undo(cgroup *os.File) {
	now, err := readIn(cgroup, k.file)
	if err != nil {
		return
	}
	for _, value := range k.reset(string(now)) {
		_ = writeIn(cgroup, k.file, value)
	}
}

// resume thaws the container's own cgroup, when it was paused and is to end.
func resume(paths map[string]string) {
	if dir := paths["freezer"]; dir != "" {
		_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
	}
}

// thawUntil thaws again and again until ctx is done: a process that was not killed
// yet may freeze others that were. Each round of a dying container ends some.
func thawUntil(ctx context.Context, paths map[string]string) {
	const longest = 500 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		thaw(ctx, paths)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}
