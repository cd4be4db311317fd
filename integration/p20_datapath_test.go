package integration

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// What makes the data path as fast as runc's is its shape, which can be tested on
// a machine that is too busy to be timed: one filter at most, the kernel's own file systems
// but for single files of /proc and /sys, no process between.
func TestP20_NothingStandsInTheDataPath(t *testing.T) {
	d := bed(t)
	volume := ext4Volume(t)
	task := start(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")}})

	caps := decode[map[string]string](t, exec(t, task, "/probe", "caps"))
	if caps["Seccomp_filters"] != "1" {
		t.Errorf("a system call passes %s seccomp filters, want that of the agent only", caps["Seccomp_filters"])
	}
	mounts := exec(t, task, "cat", "/proc/self/mountinfo")
	for point, want := range map[string]string{"/": "overlay", "/mnt": "ext4", "/proc": "proc", "/dev": "tmpfs", "/sys": "sysfs"} {
		if got := typeOf(mounts, point); got != want {
			t.Errorf("%s is a file system of type %q, want %q\n%s", point, got, want, mounts)
		}
	}
	for line := range strings.Lines(mounts) {
		point := strings.Fields(line)[4]
		if strings.Contains(line, " - fuse") && !strings.HasPrefix(point, "/proc/") && !strings.HasPrefix(point, "/sys/") {
			t.Errorf("a FUSE file system is mounted: %s", line)
		}
	}
	for _, path := range []string{d.Dir, "/var/lib/containerd"} {
		if strings.Contains(mounts, path) {
			t.Errorf("a path of the host, %s, shows inside:\n%s", path, mounts)
		}
	}
}

// typeOf finds the file system that was mounted last at a point.
func typeOf(mountinfo, point string) string {
	found := ""
	for line := range strings.Lines(mountinfo) {
		left, right, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(left); len(fields) > 4 && fields[4] == point {
			found, _, _ = strings.Cut(right, " ")
		}
	}
	return found
}

// Each container costs one shim, as with runc, and nothing else that runs.
func TestP20_OneProcessPerContainer(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	processes, err := d.Processes()
	if err != nil {
		t.Fatal(err)
	}
	if len(processes) != 2 {
		t.Errorf("want a shim and the container's process, got %v", processes)
	}
	shims, err := d.Shims(task.ID)
	if err != nil || len(shims) != 1 {
		t.Errorf("shims: %v, %v", shims, err)
	}
}
