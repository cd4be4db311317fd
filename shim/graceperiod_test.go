package shim

import (
	"os"
	"testing"
)

func TestCgroupProcs(t *testing.T) {
	for _, c := range []struct {
		name, text, there, want string
	}{
		{"v2", "0::/system.slice/containerd.service\n", "/sys/fs/cgroup/system.slice/containerd.service/cgroup.procs", "/sys/fs/cgroup/system.slice/containerd.service/cgroup.procs"},
		{"v1, the first that is mounted", "9:name=systemd:/a\n8:pids:/b\n0::/\n", "/sys/fs/cgroup/pids/b/cgroup.procs", "/sys/fs/cgroup/pids/b/cgroup.procs"},
		{"v1, a named hierarchy", "9:name=systemd:/a\n", "/sys/fs/cgroup/systemd/a/cgroup.procs", "/sys/fs/cgroup/systemd/a/cgroup.procs"},
		{"v1, controllers mounted together", "4:cpu,cpuacct:/x\n", "/sys/fs/cgroup/cpu/x/cgroup.procs", "/sys/fs/cgroup/cpu/x/cgroup.procs"},
		{"mounted elsewhere", "8:pids:/b\n", "/cgroups/pids/b/cgroup.procs", ""},
		{"not what proc says", "garbage\n", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := cgroupProcs(c.text, func(path string) bool { return path == c.there })
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The grace period must not cost the process its place.
func TestEnterCgroupGracePeriodChangesNothing(t *testing.T) {
	before, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 && ownCgroupProcs() == "" {
		t.Errorf("no cgroup.procs found for\n%s", before)
	}
	enterCgroupGracePeriod()
	after, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("moved from\n%sto\n%s", before, after)
	}
}
