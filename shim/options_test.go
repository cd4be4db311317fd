package shim

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/eci-runtime/eci/policy"
)

func TestOptionsOfEveryClient(t *testing.T) {
	pack := func(url string, m proto.Message) *anypb.Any {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return &anypb.Any{TypeUrl: url, Value: data}
	}
	for _, c := range []struct {
		name string
		any  *anypb.Any
		want *options.Options
		err  string
	}{
		{"none (nerdctl, docker)", nil, &options.Options{}, ""},
		{"an empty message (ctr)", &anypb.Any{}, &options.Options{}, ""},
		{"runc's (ctr, CRI)", pack("containerd.runc.v1.Options", &options.Options{Root: "/r", SystemdCgroup: true}), &options.Options{Root: "/r", SystemdCgroup: true}, ""},
		{
			"text (CRI, dockerd)",
			pack("runtimeoptions.v1.Options", &runtimeoptions.Options{TypeUrl: "x", ConfigBody: []byte("SystemdCgroup = true\nRoot = \"/r\"\nIoUid = 5\n")}),
			&options.Options{Root: "/r", SystemdCgroup: true, IoUid: 5}, "",
		},
		{"runc's, all defaults", &anypb.Any{TypeUrl: "containerd.runc.v1.Options"}, &options.Options{}, ""},
		{"an unknown type, empty", &anypb.Any{TypeUrl: "evil.v1.Options"}, nil, "runtime options of type evil.v1.Options cannot be read: "},
		{"text, empty", pack("runtimeoptions.v1.Options", &runtimeoptions.Options{TypeUrl: "x"}), &options.Options{}, ""},
		{"text that is no TOML", pack("runtimeoptions.v1.Options", &runtimeoptions.Options{ConfigBody: []byte("= 1")}), nil, "runtime options runtimeoptions.v1.Options.config_body is not TOML: "},
		{"a known message of another type", pack("containerd.runc.v1.CheckpointOptions", &options.CheckpointOptions{Exit: true}), nil, "runtime options are of type containerd.runc.v1.CheckpointOptions; this runtime takes"},
		{"an unknown type", &anypb.Any{TypeUrl: "evil.v1.Options", Value: []byte{1}}, nil, "runtime options of type evil.v1.Options cannot be read: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A nil *anypb.Any is what a request without options has.
			got, err := runcOptions(c.any)
			if c.err != "" {
				var oe *optionsError
				if !errors.As(err, &oe) || !strings.HasPrefix(err.Error(), c.err) {
					t.Fatalf("got error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !proto.Equal(got, c.want) {
				t.Fatalf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestFindRunc(t *testing.T) {
	cfg := policy.Config{Runc: "/opt/runc"}
	for _, c := range []struct{ binary, want, err string }{
		{"", "/opt/runc", ""},
		{"runc", "/opt/runc", ""},
		{"/opt/runc", "/opt/runc", ""},
		{"/tmp/evil", "", `runtime options name the binary "/tmp/evil"; this runtime uses /opt/runc (key runc of its configuration)`},
	} {
		got, err := findRunc(cfg, &options.Options{BinaryName: c.binary})
		if got != c.want || errText(err) != c.err {
			t.Errorf("binary %q: got %q, %v", c.binary, got, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := findRunc(policy.Config{}, nil); err == nil || !strings.Contains(err.Error(), "runc") {
		t.Errorf("no runc on the PATH: %v", err)
	}
}

func TestOptionsThatTakeAWallAway(t *testing.T) {
	for _, c := range []struct {
		opts *options.Options
		err  string
	}{
		{&options.Options{}, ""},
		{&options.Options{Root: "/run/containerd/runc"}, ""},
		{&options.Options{Root: "/tmp/mine"}, `runtime options have runc keep its state in "/tmp/mine", which is not in runc_roots`},
		{&options.Options{NoPivotRoot: true}, "runtime options ask for no_pivot_root: "},
		{&options.Options{NoNewKeyring: true}, "runtime options ask for no_new_keyring: "},
	} {
		if err := checkOptions(policy.Default(), c.opts); (err == nil) != (c.err == "") || !strings.HasPrefix(errText(err), c.err) {
			t.Errorf("%v: %v", c.opts, err)
		}
	}
}
