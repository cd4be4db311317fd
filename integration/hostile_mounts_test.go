package integration

import (
	"context"
	"path/filepath"
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
