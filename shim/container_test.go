package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/policy"
)

func TestRemoveStageNeverRemovesATree(t *testing.T) {
	stage := filepath.Join(t.TempDir(), "web")
	data := filepath.Join(stage, "volumes", "0", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := removeStage(stage); err == nil {
		t.Error("a volume with content in it is no error")
	}
	if _, err := os.Stat(data); err != nil {
		t.Fatalf("somebody's data: %v", err)
	}
	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	if err := removeStage(stage); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(stage); !os.IsNotExist(err) {
		t.Errorf("the stage is still there: %v", err)
	}
	if err := removeStage(stage); err != nil {
		t.Errorf("a second time: %v", err)
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
