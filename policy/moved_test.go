package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eci-runtime/eci/policy"
)

func TestMoved(t *testing.T) {
	t.Parallel()
	rule := func(path string, a policy.Access) policy.PathRule { return policy.PathRule{Path: path, Access: a} }
	cfg := policy.Config{Mounts: policy.Mounts{Rules: []policy.PathRule{
		rule("/var/lib/containerd", policy.Restricted),
		rule("/var/lib/containerd/*/hosts", policy.Excepted),
		rule("/var/lib/containerd2", policy.Restricted),
		rule("/data/[odd/x", policy.Restricted),
		rule("/data/ours/*/hosts", policy.Restricted),
	}}}
	for _, tt := range []struct {
		to   string
		want []policy.PathRule
	}{
		{"/data/c", []policy.PathRule{rule("/data/c", policy.Restricted), rule("/data/c/*/hosts", policy.Excepted)}},
		{"/data/ours", []policy.PathRule{rule("/data/ours", policy.Restricted)}},
		{"/data/a*b", []policy.PathRule{rule(`/data/a\*b`, policy.Restricted), rule(`/data/a\*b/*/hosts`, policy.Excepted)}},
		{"/var/lib/containerd", nil},
		{"/var/lib/containerd/x", nil},
		{"/var/lib", nil},
		{"/", nil},
	} {
		got := cfg.Moved("/var/lib/containerd", tt.to).Mounts.Rules
		if diff := cmp.Diff(append(tt.want, cfg.Mounts.Rules...), got); diff != "" {
			t.Errorf("to %s: -want +got\n%s", tt.to, diff)
		}
	}
}

func TestWithEngine(t *testing.T) {
	t.Parallel()
	cfg := policy.Config{Sockets: policy.Sockets{Engines: []string{"/run/a.sock"}}}
	got := cfg.WithEngine("/run/a.sock").WithEngine("/run/[b].sock").WithEngine("/run/[b].sock")
	if diff := cmp.Diff([]string{"/run/a.sock", `/run/\[b].sock`}, got.Sockets.Engines); diff != "" {
		t.Error(diff)
	}
	if len(cfg.Sockets.Engines) != 1 {
		t.Error("the argument was changed")
	}
}
