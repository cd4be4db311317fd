package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestHostile_CgroupByID leaves the cgroup open, so that runc would take one below that of
// the shim which bears the container's id; and the client chooses both.
func TestHostile_CgroupByID(t *testing.T) {
	d := bed(t)
	parent := d.Cgroup() + "-host"
	var roots []string
	for _, root := range controllers(t) {
		if filepath.Base(root) != "cpuset" { // takes no process before it has processors
			roots = append(roots, root)
		}
	}
	for _, root := range roots {
		for _, dir := range []string{filepath.Join(root, parent), filepath.Join(root, parent, "victim")} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(dir)
		}
	}
	task := start(t, d, testbed.Container{
		ID: "victim", Options: &options.Options{Root: d.RuncRoot(), ShimCgroup: parent},
		Spec: func(s *specs.Spec) { s.Linux.CgroupsPath = "" },
	})
	for _, root := range roots {
		info, err := os.Stat(filepath.Join(root, parent, "victim"))
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
			t.Errorf("%s/victim belongs to %d", filepath.Join(root, parent), uid)
		}
	}
	where, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(task.Pid()), "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(where), "/eci/"+d.Namespace+"/victim") {
		t.Errorf("the container is in\n%s", where)
	}
}

// TestHostile_ShimCgroup asks for cgroups of the shim's that are none, or somebody's.
func TestHostile_ShimCgroup(t *testing.T) {
	d := bed(t)
	dir := t.TempDir()
	for _, path := range []string{"../../../.." + dir, "/../pids/x", "/", "relative", d.Cgroup() + "/."} {
		refusedCreate(t, d, testbed.Container{Options: &options.Options{Root: d.RuncRoot(), ShimCgroup: path}}, "shim_cgroup", "not a clean absolute path")
	}
	for _, entry := range entriesOf(t, dir) {
		t.Errorf("made on the host: %s", entry)
	}
	path := ""
	victim := start(t, d, testbed.Container{Spec: func(s *specs.Spec) { path = s.Linux.CgroupsPath }})
	refusedCreate(t, d, testbed.Container{Options: &options.Options{Root: d.RuncRoot(), ShimCgroup: path}}, "shim_cgroup", "belongs to user")
	exec(t, victim, "true")
	log, err := os.ReadFile(d.AuditFile())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "belongs to user") {
		t.Error("the refusal is not in the audit log")
	}
}
