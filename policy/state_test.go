package policy_test

import (
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// TestStateNeedsRights: only who may mount, and write, gets directories for an engine.
func TestStateNeedsRights(t *testing.T) {
	t.Parallel()
	admin := &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}}
	for _, tt := range []struct {
		name     string
		caps     *specs.LinuxCapabilities
		readonly bool
		dirs     []string
		want     bool
	}{
		{"none", nil, false, []string{"/x/y"}, false},
		{"others", &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}, Permitted: []string{"CAP_SYS_ADMIN"}}, false, []string{"/x/y"}, false},
		{"in the bounding set", admin, false, []string{"/x/y"}, true},
		{"effective", &specs.LinuxCapabilities{Effective: []string{"CAP_SYS_ADMIN"}}, false, []string{"/x/y"}, true},
		{"read-only", admin, true, []string{"/x/y"}, false},
		{"no list", admin, false, nil, false},
	} {
		spec, facts := plain()
		spec.Process.Capabilities, spec.Root.Readonly = tt.caps, tt.readonly
		cfg := policy.Default()
		cfg.State.Directories = tt.dirs
		d, err := policy.Check(cfg, facts, spec)
		if err != nil || slices.Equal(d.State, tt.dirs) != tt.want && tt.dirs != nil || len(d.State) > 0 && !tt.want {
			t.Errorf("%s: got %q, %v", tt.name, d.State, err)
		}
		if _, explained := policy.Explain(cfg, facts, spec); !slices.Equal(explained.State, d.State) {
			t.Errorf("%s: explained as %q", tt.name, explained.State)
		}
	}
}

func TestExposes(t *testing.T) {
	t.Parallel()
	const docker = "/var/lib/docker"
	for _, tt := range []struct {
		name, dir, target string
		mounts            []string
		targets           []string
		want              bool
	}{
		{"nothing mounted", docker, docker, nil, nil, true},
		{"elsewhere", docker, docker, []string{"/var/lib/dockerd", "/proc"}, nil, true},
		{"mounted there", docker, docker, []string{"/proc", docker + "/"}, nil, false},
		{"mounted above", docker, docker, []string{"/var"}, nil, false},
		{"mounted below", docker, docker, []string{docker + "/volumes"}, nil, true},
		{"a link", docker, "/data/docker", nil, nil, true},
		{"a link to a volume", docker, "/data/docker", []string{"/data"}, nil, false},
		{"a volume by a link", docker, docker, []string{"/link"}, []string{docker}, false},
		{"a volume of the name, by a link", docker, "/data/docker", []string{docker}, []string{"/data/docker"}, false},
		{"a link to the root", docker, "/", nil, nil, false},
		{"a link to the system", docker, "/usr/lib/docker", nil, nil, false},
		{"a link to where much lies", docker, "/var/lib", nil, nil, false},
		{"configured", "/docker", "/docker", nil, nil, true},
		{"configured in the system", "/etc/docker", "/etc/docker", nil, nil, false},
		{"configured in a volatile place", "/run/docker", "/run/docker", nil, nil, false},
		{"configured to be the root", "/", "/", nil, nil, false},
		{"configured to be relative", "data", "/data", nil, nil, false},
		{"configured to climb", "/data/../etc", "/etc", nil, nil, false},
		{"configured to be home", "/home", "/home", nil, nil, false},
	} {
		var mounts []specs.Mount
		for _, m := range tt.mounts {
			mounts = append(mounts, mount("tmpfs", m))
		}
		if got := policy.Exposes(tt.dir, tt.target, mounts, tt.targets); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}
