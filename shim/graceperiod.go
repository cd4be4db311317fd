package shim

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// enterCgroupGracePeriod makes the kernel begin now what runc would have to wait
// for a few milliseconds later.
//
// Whoever moves a process into a cgroup takes a lock (cgroup_threadgroup_rwsem)
// whose first writer has to wait for a grace period of RCU, 8 to 10 ms, a tenth of
// a short container's life; a writer that comes while the grace period runs, or
// shortly after, waits for the rest of it only (rcu_sync in kernel/rcu/sync.c). So
// we write the number of this process into the cgroup in which it is already,
// which changes nothing, while runc is still starting. Where that is not possible
// nothing is lost but time: errors do not matter.
func enterCgroupGracePeriod() {
	if procs := ownCgroupProcs(); procs != "" {
		_ = os.WriteFile(procs, []byte("0"), 0) // 0 is the writer; cgroups(7)
	}
}

// ownCgroupProcs is the cgroup.procs of this process' cgroup in one hierarchy, of
// whichever version; "" if there is none at the usual place.
var ownCgroupProcs = sync.OnceValue(func() string {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	return cgroupProcs(string(data), func(path string) bool {
		_, err := os.Lstat(path)
		return err == nil
	})
})

// cgroupProcs finds that file in the text of /proc/self/cgroup.
func cgroupProcs(text string, exists func(path string) bool) string {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		controller, _, _ := strings.Cut(fields[1], ",")
		procs := filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(controller, "name="), fields[2], "cgroup.procs")
		if exists(procs) {
			return procs
		}
	}
	return ""
}
