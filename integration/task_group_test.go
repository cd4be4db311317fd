package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestTask_GroupAtOnce starts the first containers of a group all at once: they find one
// server, whoever started it.
func TestTask_GroupAtOnce(t *testing.T) {
	d := bed(t)
	for round := range 3 {
		group := fmt.Sprintf("at-once-%d", round)
		tasks := make(chan *testbed.Task)
		const members = 8
		for range members {
			go func() {
				task, err := d.Start(deadline(t), withRuntime(testbed.Container{
					Args: []string{"sleep", "100000"},
					Spec: func(s *specs.Spec) { s.Annotations = map[string]string{"io.containerd.runc.v2.group": group} },
				}))
				if err != nil {
					t.Error(err)
				}
				tasks <- task
			}()
		}
		shims := map[string]bool{}
		for range members {
			task := <-tasks
			if task == nil {
				continue
			}
			shims[parentOf(t, task.Pid())] = true
			if err := task.Delete(deadline(t)); err != nil {
				t.Error(err)
			}
		}
		if len(shims) != 1 {
			t.Errorf("round %d: %d servers", round, len(shims))
		}
	}
	checkClean(t, d)
}

// parentOf is the process ID of the parent of a process.
func parentOf(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if parent, ok := strings.CutPrefix(line, "PPid:"); ok {
			return strings.TrimSpace(parent)
		}
	}
	t.Fatalf("no parent in\n%s", status)
	return ""
}
