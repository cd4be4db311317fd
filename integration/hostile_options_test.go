package integration

import (
	"fmt"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/containerd/v2/client"
	mounts "github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/cio"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestHostile_Options asks for options that would take a wall away.
func TestHostile_Options(t *testing.T) {
	d := bed(t)
	root := d.RuncRoot()
	table := func(key string) *runtimeoptions.Options {
		return &runtimeoptions.Options{ConfigBody: fmt.Appendf(nil, "Root = %q\n%s = true\n", root, key)}
	}
	for _, c := range []struct {
		name string
		opts any
		want string
	}{
		{"no pivot_root", &options.Options{Root: root, NoPivotRoot: true}, "runtime options ask for no_pivot_root"},
		{"no pivot_root, as CRI says it", table("NoPivotRoot"), "runtime options ask for no_pivot_root"},
		{"the host's keyring", &options.Options{Root: root, NoNewKeyring: true}, "runtime options ask for no_new_keyring"},
		{"the host's keyring, as CRI says it", table("NoNewKeyring"), "runtime options ask for no_new_keyring"},
		{"runc's state where others can write", &options.Options{Root: t.TempDir()}, "which is not in runc_roots of the configuration"},
		{"another binary", &options.Options{Root: root, BinaryName: "/bin/sh"}, `runtime options name the binary "/bin/sh"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, d, testbed.Container{Options: c.opts}, c.want)
		})
	}
}

// TestHostile_RootfsMounts gives root file systems that are not what they say. The
// kernel takes an overlay with the flag of a bind for a bind of its source.
func TestHostile_RootfsMounts(t *testing.T) {
	d := bed(t)
	lower := t.TempDir()
	for _, c := range []struct {
		name  string
		mount mounts.Mount
	}{
		{"an overlay that is a bind", mounts.Mount{Type: "overlay", Source: "/etc", Options: []string{"rbind", "lowerdir=" + lower}}},
		{"no type, a bind", mounts.Mount{Type: "none", Source: "/etc", Options: []string{"rbind"}}},
		{"proc", mounts.Mount{Type: "proc", Source: "proc"}},
		{"mapped, with no mapping", mounts.Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + lower, "uidmap=0:100000:65536", "gidmap=0:100000:65536"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			container, err := d.Define(deadline(t), withRuntime(testbed.Container{Args: []string{"true"}}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := container.Delete(d.Context(deadline(t)), client.WithSnapshotCleanup); err != nil {
					t.Error(err)
				}
			})
			task, err := container.NewTask(d.Context(deadline(t)), cio.NullIO, client.WithRootFS([]mounts.Mount{c.mount}))
			if err == nil {
				_, _ = task.Delete(d.Context(deadline(t)), client.WithProcessKill)
				t.Fatal("the container was created")
			}
			checkRefusal(t, d, err, "rootfs: ")
		})
	}
}
