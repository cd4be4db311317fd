package policy_test

import (
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

func TestNarrowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		quota   int64
		period  uint64
		cpus    string
		unified map[string]string
		host    int
		want    bool
	}{
		{name: "no quota", host: 4},
		{name: "none of version 1", quota: -1, host: 4},
		{name: "all of it", quota: 400000, period: 100000, host: 4},
		{name: "more than all", quota: 1 << 62, period: 1, host: 4},
		{name: "the usual period", quota: 350000, host: 4},
		{name: "rounded up to all", quota: 300001, period: 100000, host: 4},
		{name: "less", quota: 300000, period: 100000, host: 4, want: true},
		{name: "half of one", quota: 50000, period: 100000, host: 2, want: true},
		{name: "half of the only one", quota: 50000, period: 100000, host: 1},
		{name: "as many as the cpuset has", quota: 300000, period: 100000, cpus: "0-1,3", host: 4},
		{name: "less than the cpuset has", quota: 200000, period: 100000, cpus: "0-1,3\n", host: 4, want: true},
		{name: "a cpuset larger than the host", quota: 400000, period: 100000, cpus: "0-63", host: 4},
		{name: "a cpuset that is none", quota: 400000, period: 100000, cpus: "3-0", host: 4},
		{name: "a host that is not known", quota: 400000, period: 100000, want: true},
		{name: "only the cpuset is known", quota: 200000, period: 100000, cpus: "0,1"},
		{name: "in version 2", unified: map[string]string{"cpu.max": "150000 100000"}, host: 4, want: true},
		{name: "in version 2, the usual period", unified: map[string]string{"cpu.max": "400000"}, host: 4},
		{name: "in version 2, none, whatever cpu says", quota: 1000, unified: map[string]string{"cpu.max": "max 100000"}, host: 4},
		{name: "in version 2, a cpuset", quota: 200000, cpus: "0-3", unified: map[string]string{"cpuset.cpus": "0-1"}, host: 4},
	} {
		spec := &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{
			CPU: &specs.LinuxCPU{Quota: &tt.quota, Period: &tt.period, Cpus: tt.cpus}, Unified: tt.unified,
		}}}
		if got := policy.Narrowed(policy.Facts{CPUs: tt.host}, spec); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
	if policy.Narrowed(policy.Facts{}, &specs.Spec{Linux: &specs.Linux{}}) {
		t.Error("narrowed without resources")
	}
}

// TestMknodMask: of all types of files, the two bits of the filter single out devices.
func TestMknodMask(t *testing.T) {
	t.Parallel()
	for _, p := range []*specs.LinuxSeccomp{nil, {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"mknod", "mknodat"}, Action: specs.ActAllow}}}} {
		q, _ := policy.Answer(p, "amd64", "mknod", "mknodat")
		for mode := uint64(0); mode < 1<<16; mode += 0o111 {
			for call, args := range map[string][6]uint64{"mknod": {1: mode | 1<<40}, "mknodat": {2: mode}} {
				want := "SCMP_ACT_ALLOW"
				if isDevice(mode) {
					want = "SCMP_ACT_NOTIFY"
				}
				if got := outcomes(q, machines[0], call, args); !slices.Equal(got, []string{want}) {
					t.Fatalf("%s with mode %o: %v", call, mode, got)
				}
			}
		}
	}
}

// TestIntercepted: the agent's table is this one.
func TestIntercepted(t *testing.T) {
	t.Parallel()
	names := policy.Intercepted()
	if !slices.Contains(names, "mount") || slices.Contains(names, "syslog") || slices.Contains(names, "write") {
		t.Errorf("%v", names) // runc cannot start a container whose write(2) is to be answered
	}
	for _, name := range answeredNames {
		if answered[name] == nil {
			t.Errorf("nothing is known of the arguments of %s", name)
		}
	}
}
