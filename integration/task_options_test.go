package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestTask_Options takes every form of options that clients send.
func TestTask_Options(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name string
		c    testbed.Container
	}{
		{"none", testbed.Container{NoOptions: true}},
		{"empty", testbed.Container{Options: &options.Options{}}},
		{"runc's", testbed.Container{Options: &options.Options{Root: d.RuncRoot()}}},
		{"runc's with the configured binary", testbed.Container{Options: &options.Options{Root: d.RuncRoot(), BinaryName: d.Programs.Runc}}},
		{"CRI's and dockerd's", testbed.Container{Options: &runtimeoptions.Options{
			TypeUrl: "containerd.runc.v1.Options", ConfigBody: fmt.Appendf(nil, "Root = %q\n", d.RuncRoot()),
		}}},
		{"CRI's, empty", testbed.Container{Options: &runtimeoptions.Options{}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := start(t, d, c.c)
			exec(t, task, "true")
			if err := task.Delete(deadline(t)); err != nil {
				t.Error(err)
			}
			checkClean(t, d)
		})
	}
}

// -info is how containerd and the kubelet learn that user namespaces work.
func TestTask_Info(t *testing.T) {
	d := bed(t)
	for _, opts := range []any{nil, &runtimeoptions.Options{}, &options.Options{}} {
		t.Run(fmt.Sprintf("%T", opts), func(t *testing.T) {
			info, err := d.Client().RuntimeInfo(d.Context(deadline(t)), testbed.Eci, opts)
			if errdefs.IsNotImplemented(err) {
				t.Skip("containerd before 2.0 cannot ask a runtime (introspection.v1: PluginInfo is not implemented)")
			}
			if err != nil {
				t.Fatal(err)
			}
			var found features.Features
			data, err := json.Marshal(info.Features)
			if err == nil {
				err = json.Unmarshal(data, &found)
			}
			if err != nil {
				t.Fatal(err)
			}
			mapped := found.Linux.MountExtensions != nil && found.Linux.MountExtensions.IDMap != nil && *found.Linux.MountExtensions.IDMap.Enabled
			if info.Name != testbed.Eci || !mapped || !strings.Contains(fmt.Sprint(found.Linux.Namespaces), "user") {
				t.Errorf("%s announces %s", info.Name, data)
			}
		})
	}
}

// Containers that clients put into one group share a shim, and nothing else.
func TestTask_GroupSharesAShim(t *testing.T) {
	d := bed(t)
	group := func(s *specs.Spec) { s.Annotations = map[string]string{"io.containerd.runc.v2.group": "together"} }
	first := start(t, d, testbed.Container{Spec: group})
	second := start(t, d, testbed.Container{Spec: group})
	if shims, err := d.Shims(""); err != nil || len(shims) != 1 {
		t.Errorf("shims: %v, %v", shims, err)
	}
	if mapping(t, first) == mapping(t, second) {
		t.Error("both containers have the same range")
	}
	if err := first.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
	exec(t, second, "true")
	third := start(t, d, testbed.Container{Spec: group})
	exec(t, third, "true")
	for _, task := range []*testbed.Task{second, third} {
		if err := task.Delete(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	checkClean(t, d)
}
