package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP16_Controllers: on version 2, an engine that is started by whoever can give controllers
// to cgroups of its containers; nothing is in the way.
func TestP16_Controllers(t *testing.T) {
	if data, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err != nil || len(data) == 0 {
		t.Skip("needs cgroup version 2: /sys/fs/cgroup/cgroup.controllers is not there")
	}
	task := start(t, bed(t), testbed.Container{Privileged: true, Spec: entire})
	script := `cd /sys/fs/cgroup; cat /proc/self/cgroup; mkdir -p inner; echo "+memory +pids" >cgroup.subtree_control
		echo 8388608 >inner/memory.max; cat inner/memory.max; echo 1 >memory.max; echo end`
	for range 2 {
		result, err := task.Exec(deadline(t), "sh", "-c", script)
		succeed(t, err)
		out := result.Stdout + result.Stderr
		for _, want := range []string{"0::/init.scope\n", "8388608\n", "memory.max: Permission denied", "end\n"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	}
	// Who holds no containers is where it always was.
	plain := start(t, bed(t), testbed.Container{})
	wantText(t, "cgroup of an ordinary container", exec(t, plain, "cat", "/proc/self/cgroup"), "0::/")
}
