package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestHostile_OwnDirectories mounts what the walls between containers are made of.
func TestHostile_OwnDirectories(t *testing.T) {
	d := bed(t)
	start(t, d, testbed.Container{}) // so that all of them are there
	for _, source := range []string{
		"/", d.Dir, d.StateDir(), filepath.Join(d.StateDir(), "ranges"), d.RuncRoot(), filepath.Dir(d.Bundle("x")),
	} {
		t.Run(source, func(t *testing.T) {
			refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt", "ro")}},
				"where this runtime keeps what isolates containers (rule volume-source")
		})
	}
}

// TestHostile_SeccompThatKillsThreads has runc's init killed by its own filter, but
// for its other threads: runc waits for ever, and takes the container for dead.
func TestHostile_SeccompThatKillsThreads(t *testing.T) {
	d := bed(t)
	ctx, cancel := context.WithTimeout(deadline(t), 3*time.Second)
	defer cancel()
	c := withRuntime(testbed.Container{ID: d.UniqueID("seccomp"), Spec: func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActKill, Architectures: []specs.Arch{specs.ArchX86_64}}
	}})
	if _, err := d.Create(ctx, c); err == nil {
		t.Error("a container that may make no system call was created")
	}
	deleteByID(t, d, c.ID)
	checkClean(t, d)
	run(t, d, testbed.Container{})
}

// TestHostile_TooMany asks for more than a shim has descriptors; another container lives
// in that shim.
func TestHostile_TooMany(t *testing.T) {
	d := bed(t)
	group := func(s *specs.Spec) { s.Annotations = map[string]string{"io.containerd.runc.v2.group": "too-many"} }
	neighbour := start(t, d, testbed.Container{ID: "too-many", Spec: group})
	dir := t.TempDir()
	refusedCreate(t, d, testbed.Container{Spec: func(s *specs.Spec) {
		group(s)
		for i := range 20_000 {
			s.Mounts = append(s.Mounts, testbed.Bind(dir, fmt.Sprintf("/mnt/%d", i)))
		}
	}}, "the spec has 200", "rule structure")
	exec(t, neighbour, "true")
}

// TestHostile_RangeOfAUser brings the IDs of a user of the host, together with the files of
// that user.
func TestHostile_RangeOfAUser(t *testing.T) {
	d := bed(t)
	home := plainRootfs(t)
	restoreFile(t, "/etc/subuid", "eci-test-user:777000:65536\n")
	refused(t, d, testbed.Container{Rootfs: home, Spec: func(s *specs.Spec) {
		mapping := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 777000, Size: 65536}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = mapping, mapping
	}}, "belongs to a user of the host")
}

// restoreFile adds a line to a file of the host for the time of a test.
func restoreFile(t *testing.T, name, line string) {
	t.Helper()
	before, err := os.ReadFile(name)
	missing := os.IsNotExist(err)
	if err != nil && !missing {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(slices.Clone(before), line...), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if missing {
			_ = os.Remove(name)
			return
		}
		if err := os.WriteFile(name, before, 0o644); err != nil {
			t.Error(err)
		}
	})
}
