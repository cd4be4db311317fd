package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/policy"
)

func TestRemoveStageNeverRemovesATree(t *testing.T) {
	for _, place := range []string{"rootfs", "dev", "volumes/0", "nodes/0"} {
		t.Run(place, func(t *testing.T) {
			stage := filepath.Join(t.TempDir(), "web")
			data := filepath.Join(stage, place, "data")
			if err := os.MkdirAll(filepath.Dir(data), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(data, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := removeStage(stage); err == nil {
				t.Error("a place with content in it is no error")
			}
			if _, err := os.Stat(data); err != nil {
				t.Fatalf("somebody's data: %v", err)
			}
			if err := os.Remove(data); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := removeStage(stage); err != nil {
					t.Error(err)
				}
			}
			if _, err := os.Stat(stage); !os.IsNotExist(err) {
				t.Errorf("the stage is still there: %v", err)
			}
		})
	}
}

// TestReleaseLeavesWhatIsMounted: two mounts at a place, of which one is known.
func TestReleaseLeavesWhatIsMounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts are made (id -u is not 0)")
	}
	stage, tree := filepath.Join(t.TempDir(), "web"), t.TempDir()
	file := filepath.Join(tree, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"rootfs", "volumes/0", "volumes"} {
		at := filepath.Join(stage, place)
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := unix.Mount(tree, at, "", unix.MS_BIND, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
		}
	}
	c := container{bundle: t.TempDir(), stageDir: stage, mounts: []string{filepath.Join(stage, "rootfs")}}
	c.release(t.Context())
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("somebody's data: %v", err)
	}
	if _, err := os.Stat(filepath.Join(stage, "rootfs")); !os.IsNotExist(err) {
		t.Errorf("the rootfs, mounted twice, is still there: %v", err)
	}
}

func TestReleaseClaimsInAFreshProcess(t *testing.T) {
	cfg := policy.Default()
	cfg.StateDir = t.TempDir()
	c := container{bundle: t.TempDir(), pool: pool(cfg, nil)}
	if err := releaseClaims(c.bundle); err != nil {
		t.Errorf("a bundle that claimed nothing: %v", err)
	}
	if err := c.claim(policy.Decision{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(cfg.StateDir, "ranges", c.ids.String())); err != nil {
		t.Fatal(err)
	}
	if err := releaseClaims(c.bundle); err != nil {
		t.Fatal(err)
	}
	if claims, err := c.pool.Claims(); err != nil || len(claims) != 0 {
		t.Errorf("claims %v, %v", claims, err)
	}
	if err := os.RemoveAll(cfg.StateDir); err != nil {
		t.Fatal(err)
	}
	if err := releaseClaims(c.bundle); err != nil {
		t.Errorf("a state directory that is gone: %v", err)
	}
}

func TestErrorClasses(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		class error
	}{
		{"a malformed spec", &policy.Violation{Rule: "r", Field: "f", Reason: "x", Class: policy.ErrMalformed}, errdefs.ErrInvalidArgument},
		{"a refusal", &policy.Violation{Rule: "r", Field: "f", Reason: "x", Class: policy.ErrDenied}, errdefs.ErrPermissionDenied},
		{"not built yet", &policy.Violation{Rule: "r", Field: "f", Reason: "x", Class: policy.ErrUnsupported}, errdefs.ErrNotImplemented},
		{"file system", &idmap.UnsupportedError{FSType: "nfs", Path: "/n", Reason: "x"}, errdefs.ErrFailedPrecondition},
		{"pool", idmap.ErrPoolExhausted, errdefs.ErrResourceExhausted},
		{"options", &optionsError{"x"}, errdefs.ErrInvalidArgument},
		{"checkpoint", errCheckpoint, errdefs.ErrNotImplemented},
		{"anything else", os.ErrClosed, errdefs.ErrUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := errgrpc.ToNative(toGRPC(c.err))
			if c.class != errdefs.ErrUnknown && !is(c.class)(got) {
				t.Errorf("%v is not %v", got, c.class)
			}
			if !strings.Contains(got.Error(), c.err.Error()) {
				t.Errorf("%q does not say %q", got, c.err)
			}
		})
	}
}
