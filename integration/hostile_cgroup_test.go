package integration

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestHostile_CgroupOfTheHost names cgroups in which somebody is already, in each
// hierarchy that the host has: they would get the container's limits, and its owner.
func TestHostile_CgroupOfTheHost(t *testing.T) {
	d := bed(t)
	for _, controller := range controllers(t) {
		t.Run(filepath.Base(controller), func(t *testing.T) {
			name := d.Cgroup() + "-host"
			parent := filepath.Join(controller, name)
			leaf := filepath.Join(parent, "svc")
			if err := os.MkdirAll(leaf, 0o755); err != nil {
				t.Fatal(err)
			}
			host := osexec.Command("sleep", "100000")
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = host.Process.Kill()
				_ = host.Wait()
				for _, dir := range []string{leaf, parent} {
					if err := os.Remove(dir); err != nil {
						t.Error(err)
					}
				}
			})
			pid := []byte(strconv.Itoa(host.Process.Pid))
			if err := os.WriteFile(filepath.Join(leaf, "cgroup.procs"), pid, 0); err != nil {
				t.Skipf("a process cannot be put into %s: %v", leaf, err)
			}
			for path, why := range map[string]string{
				name + "/svc": leaf + " has processes",
				name:          parent + " has cgroups below it",
			} {
				refused(t, d, testbed.Container{Spec: func(s *specs.Spec) { s.Linux.CgroupsPath = path }}, "rule cgroup", why)
			}
		})
	}
}

// TestHostile_CgroupOfAContainer nests a container into another's.
func TestHostile_CgroupOfAContainer(t *testing.T) {
	d := bed(t)
	path := ""
	start(t, d, testbed.Container{Spec: func(s *specs.Spec) {
		path = s.Linux.CgroupsPath
		// Version 2 is delegated if it is mounted writable.
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"rw"}})
	}})
	refusedCreate(t, d, testbed.Container{Spec: func(s *specs.Spec) { s.Linux.CgroupsPath = path + "/below" }},
		"belongs to user 100000 (rule cgroup")
}

// TestHostile_UpdateMovesNobody sends what cgroup v2 would take for an order to
// move a process of the host.
func TestHostile_UpdateMovesNobody(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	err := task.Task.Update(d.Context(deadline(t)), client.WithResources(&specs.LinuxResources{
		Unified: map[string]string{"cgroup.procs": strconv.Itoa(os.Getpid())},
	}))
	if err == nil || !strings.Contains(err.Error(), "rule cgroup, field linux.resources.unified") {
		t.Errorf("got %v", err)
	}
}

// controllers are the mount points of the hierarchies of the host.
func controllers(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return []string{"/sys/fs/cgroup"}
	}
	procs, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if err != nil || len(procs) == 0 {
		t.Fatalf("no cgroup hierarchy: %v", err)
	}
	for i := range procs {
		procs[i] = filepath.Dir(procs[i])
	}
	return procs
}
