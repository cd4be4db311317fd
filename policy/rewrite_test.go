package policy_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// TestGrantMustFit: what does not belong to the spec changes nothing.
func TestGrantMustFit(t *testing.T) {
	t.Parallel()
	own := specs.LinuxIDMapping{HostID: 200000, Size: 65536}
	for _, tt := range []struct {
		name   string
		change func(*policy.Decision, *[]policy.Placement, *policy.Grant)
		fits   bool
	}{
		{"as decided", func(*policy.Decision, *[]policy.Placement, *policy.Grant) {}, true},
		{"zero decision", func(d *policy.Decision, _ *[]policy.Placement, _ *policy.Grant) { *d = policy.Decision{} }, false},
		{"zero grant", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { *g = policy.Grant{} }, false},
		{"range of the host's users", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Base = 65535 }, false},
		{"range that ends nowhere", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Base = 1<<32 - 65536 }, false},
		{"another size", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Size = 65537 }, false},
		{"another range than the caller's", func(d *policy.Decision, _ *[]policy.Placement, _ *policy.Grant) { d.Mapping = &own }, false},
		{"the caller's range", func(d *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { d.Mapping, g.Base = &own, 200000 }, true},
		{"relative rootfs", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Root = "rootfs" }, false},
		{"relative /dev", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Dev = "dev" }, false},
		{"another /dev", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Dev = "/s/x/dev" }, true},
		{"/dev in the rootfs", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Dev = "/s/rootfs/dev" }, false},
		{"no /dev", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Dev = "" }, false},
		{"relative namespace", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.UserNS = "user" }, false},
		{"too few placements", func(_ *policy.Decision, p *[]policy.Placement, _ *policy.Grant) { *p = (*p)[1:] }, false},
		{"no placement", func(_ *policy.Decision, p *[]policy.Placement, _ *policy.Grant) { (*p)[0] = "" }, false},
		{"volume left to runc", func(_ *policy.Decision, p *[]policy.Placement, _ *policy.Grant) { (*p)[2] = policy.Delegated }, false},
		{"proc staged", func(_ *policy.Decision, p *[]policy.Placement, _ *policy.Grant) { (*p)[0] = policy.Staged }, false},
		{"proc as /dev", func(_ *policy.Decision, p *[]policy.Placement, _ *policy.Grant) { (*p)[0] = policy.Dev }, false},
		{"listener of nobody", func(_ *policy.Decision, _ *[]policy.Placement, g *policy.Grant) { g.Listener = "/s/agent" }, false},
		{"no listener", func(d *policy.Decision, _ *[]policy.Placement, _ *policy.Grant) { d.Intercepts = []string{"mount"} }, false},
		{"relative listener", func(d *policy.Decision, _ *[]policy.Placement, g *policy.Grant) {
			d.Intercepts, g.Listener = []string{"mount"}, "agent"
		}, false},
		{"listener", func(d *policy.Decision, _ *[]policy.Placement, g *policy.Grant) {
			d.Intercepts, g.Listener = []string{"mount"}, "/s/agent"
		}, true},
		{"clone without a volume", func(_ *policy.Decision, p *[]policy.Placement, _ *policy.Grant) { (*p)[2] = policy.Cloned }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec, facts := plain()
			spec.Mounts = []specs.Mount{mount("proc", "/proc"), mount("tmpfs", "/dev"), mount("bind", "/data")}
			facts.Sources[2] = source(policy.KindDir, "/srv")
			d, err := policy.Check(policy.Default(), facts, spec)
			if err != nil {
				t.Fatal(err)
			}
			places := policy.Place(d, spec.Mounts, nil)
			g := policy.Grant{Base: 100000, Size: 65536, Root: "/s/rootfs", Dev: "/s/dev"}
			tt.change(&d, &places, &g)
			before := asJSON(t, spec)
			err = policy.Rewrite(spec, d, places, g, facts)
			if tt.fits {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, policy.ErrGrant) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(before, asJSON(t, spec)); diff != "" {
				t.Errorf("the spec was changed: %s", diff)
			}
		})
	}
}

// rewritten takes a spec the whole way.
func rewritten(t *testing.T, spec *specs.Spec, facts policy.Facts, change func(*policy.Grant)) *specs.Spec {
	t.Helper()
	d, err := policy.Check(policy.Default(), facts, spec)
	if err != nil {
		t.Fatal(err)
	}
	places := policy.Place(d, spec.Mounts, nil)
	g := grantFor(policy.Default(), d, places)
	change(&g)
	if err := policy.Rewrite(spec, d, places, g, facts); err != nil {
		t.Fatal(err)
	}
	return spec
}

func TestPingRange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, value, want string }{
		{"net.ipv4.ping_group_range", "0 2147483647", "0 65535"},
		{"net/ipv4/ping_group_range", "0\t4294967295", "0 65535"},
		{"net.ipv4.ping_group_range", "5 10", "5 10"},
		{"net.ipv4.ping_group_range", "1 0", "1 0"},
		{"net.ipv4.ping_group_range", "65535 70000", "65535 65535"},
		{"net.ipv4.ping_group_range", "65536 70000", "1 0"},
		{"net.ipv4.ping_group_range", "0", "0"},
		{"net.ipv4.ping_group_range", "a b", "a b"},
		{"net.ipv4.ping_group_range", "0 b", "0 b"},
		{"net.ipv4.ping_group_range", "-1 5", "-1 5"},
		{"net.core.somaxconn", "0 2147483647", "0 2147483647"},
	} {
		spec, facts := plain()
		client := map[string]string{tt.key: tt.value}
		spec.Linux.Sysctl = client
		spec = rewritten(t, spec, facts, func(*policy.Grant) {})
		if got := spec.Linux.Sysctl[tt.key]; got != tt.want {
			t.Errorf("%s = %q becomes %q, want %q", tt.key, tt.value, got, tt.want)
		}
		if client[tt.key] != tt.value {
			t.Errorf("the client's map was written to: %v", client)
		}
	}
}

func TestTimeOffsets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		now  time.Duration
		want specs.LinuxTimeOffset
	}{
		{0, specs.LinuxTimeOffset{}},
		{5 * time.Second, specs.LinuxTimeOffset{Secs: -5}},
		{300 * time.Millisecond, specs.LinuxTimeOffset{Secs: -1, Nanosecs: 700_000_000}},
		{10*time.Second + 1, specs.LinuxTimeOffset{Secs: -11, Nanosecs: 999_999_999}},
	} {
		spec, facts := plain()
		facts.Boottime, facts.Monotonic = tt.now, tt.now
		spec = rewritten(t, spec, facts, func(*policy.Grant) {})
		want := map[string]specs.LinuxTimeOffset{"boottime": tt.want, "monotonic": tt.want}
		if diff := cmp.Diff(want, spec.Linux.TimeOffsets); diff != "" {
			t.Errorf("%v: %s", tt.now, diff)
		}
	}
}

// TestCgroupMounts: with what runc looks for, it gives the cgroup away.
func TestCgroupMounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ before, want specs.Mount }{
		{
			specs.Mount{Destination: "/sys/fs/cgroup/", Type: "cgroup", Source: "cgroup2", Options: []string{"nosuid", "ro"}},
			specs.Mount{Destination: "/sys/fs/cgroup/", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "rw"}},
		},
		{
			specs.Mount{Destination: "/cg", Type: "cgroup2", Source: "x", Options: []string{"rw"}},
			specs.Mount{Destination: "/cg", Type: "cgroup2", Source: "x", Options: []string{"rw"}},
		},
	} {
		spec, facts := plain()
		spec.Mounts = []specs.Mount{tt.before}
		spec = rewritten(t, spec, facts, func(*policy.Grant) {})
		if diff := cmp.Diff(tt.want, spec.Mounts[1]); diff != "" {
			t.Error(diff)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
