package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

func TestIsSystemd(t *testing.T) {
	t.Parallel()
	for program, want := range map[policy.SystemdMode]map[string]bool{
		policy.SystemdAuto: {
			"/lib/systemd/systemd": true, "/usr/lib/systemd/systemd": true, "/nix/store/x-systemd-257/lib/systemd/systemd": true,
			"/bin/busybox": false, "/sbin/init": false, "/lib/systemd/systemd-udevd": false, "/home/systemd": false, "": false,
		},
		policy.SystemdAlways: {"/bin/sh": true, "": true},
		policy.SystemdNever:  {"/lib/systemd/systemd": false},
		"":                   {"/lib/systemd/systemd": false},
	} {
		for path, want := range want {
			if got := (policy.Config{Systemd: program}).IsSystemd(path); got != want {
				t.Errorf("%s, %s: %v", program, path, got)
			}
		}
	}
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	path := []string{"PATH=/first", "PATH=/usr/sbin:relative::/sbin"}
	for _, tt := range []struct {
		process specs.Process
		want    []string
	}{
		{specs.Process{Args: []string{"/sbin/init"}, Env: path}, []string{"/sbin/init"}},
		{specs.Process{Args: []string{"init"}, Env: path}, []string{"/usr/sbin/init", "/sbin/init"}},
		{specs.Process{Args: []string{"./init"}, Cwd: "/sbin", Env: path}, []string{"/sbin/init"}},
		{specs.Process{Args: []string{"init"}}, nil},
	} {
		if diff := cmp.Diff(tt.want, policy.Programs(&tt.process)); diff != "" {
			t.Errorf("%v: -want +got:\n%s", tt.process.Args, diff)
		}
	}
}

// TestSystemdMounts: what a client mounts is its own.
func TestSystemdMounts(t *testing.T) {
	t.Parallel()
	tmpfs := func(at string) specs.Mount { return specs.Mount{Destination: at, Type: "tmpfs"} }
	bind := func(at string) specs.Mount { return specs.Mount{Destination: at, Type: "bind"} }
	sys := specs.Mount{Destination: "/sys", Type: "sysfs"}
	for name, tt := range map[string]struct {
		mounts      []specs.Mount
		targets     []string
		first, last []string
		own         bool
	}{
		"nothing":                 {nil, nil, []string{"/run", "/run/lock"}, nil, true},
		"sysfs":                   {[]specs.Mount{sys}, nil, []string{"/run", "/run/lock"}, []string{"/sys/fs/cgroup"}, true},
		"cgroups":                 {[]specs.Mount{sys, {Destination: "/sys/fs/cgroup", Type: "cgroup"}}, nil, []string{"/run", "/run/lock"}, nil, true},
		"a tmpfs":                 {[]specs.Mount{tmpfs("/run/")}, nil, nil, []string{"/run/lock"}, true},
		"both":                    {[]specs.Mount{tmpfs("/run"), tmpfs("/run/lock")}, nil, nil, nil, true},
		"the lock alone":          {[]specs.Mount{tmpfs("/run/lock")}, nil, []string{"/run"}, nil, true},
		"below the lock":          {[]specs.Mount{tmpfs("/run"), bind("/run/lock/x")}, nil, nil, nil, true},
		"a volume":                {[]specs.Mount{bind("/run")}, nil, nil, nil, false},
		"a volume by a link":      {[]specs.Mount{bind("/var/run")}, []string{"/run"}, nil, nil, false},
		"a volume below":          {[]specs.Mount{bind("/run/x")}, nil, []string{"/run", "/run/lock"}, nil, true},
		"the host's sysfs":        {[]specs.Mount{bind("/sys")}, nil, []string{"/run", "/run/lock"}, nil, true},
		"another name like /runs": {[]specs.Mount{bind("/runs")}, nil, []string{"/run", "/run/lock"}, nil, true},
	} {
		first, last, own := policy.SystemdMounts(tt.mounts, tt.targets)
		if diff := cmp.Diff([]any{tt.first, tt.last, tt.own}, []any{places(first), places(last), own}); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func places(mounts []specs.Mount) (out []string) {
	for _, m := range mounts {
		out = append(out, m.Destination)
	}
	return out
}

func TestSystemdEnv(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"A=b", "container=oci"}, policy.SystemdEnv([]string{"A=b"})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"container=docker"}, policy.SystemdEnv([]string{"container=docker"})); diff != "" {
		t.Error(diff)
	}
}
