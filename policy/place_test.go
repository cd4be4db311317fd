package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

func mount(kind, to string, options ...string) specs.Mount {
	return specs.Mount{Destination: to, Type: kind, Source: "/srv", Options: options}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	const s, c, d, dev = policy.Staged, policy.Cloned, policy.Delegated, policy.Dev
	for _, tt := range []struct {
		name    string
		mounts  []specs.Mount
		targets []string
		want    []policy.Placement
	}{
		{"nothing", nil, nil, []policy.Placement{}},
		{
			"a volume, by option and by type",
			[]specs.Mount{mount("none", "/a", "rbind"), mount("bind", "/b"), mount("", "/c", "bind")},
			nil,
			[]policy.Placement{s, s, s},
		},
		{
			"what runc makes",
			[]specs.Mount{mount("proc", "/proc"), mount("tmpfs", "/tmp"), mount("devpts", "/dev/pts"), mount("tmpfs", "/dev")},
			nil,
			[]policy.Placement{d, d, d, dev},
		},
		{
			"/dev by other names, and a bind over it",
			[]specs.Mount{mount("tmpfs", "/dev/"), mount("devtmpfs", "//dev/."), mount("bind", "/dev")},
			nil,
			[]policy.Placement{dev, dev, s},
		},
		{
			"a volume below /dev",
			[]specs.Mount{mount("tmpfs", "/dev"), mount("bind", "/dev/shm"), mount("bind", "/devices")},
			nil,
			[]policy.Placement{dev, s, s},
		},
		{
			"a volume on, below and above what runc makes",
			[]specs.Mount{mount("mqueue", "/a/m"), mount("bind", "/a/m"), mount("bind", "/a/m/x"), mount("bind", "/a"), mount("bind", "/a/mm")},
			nil,
			// The last is below the bind on /a, which runc attaches.
			[]policy.Placement{d, c, c, c, c},
		},
		{
			"names that only begin alike",
			[]specs.Mount{mount("proc", "/proc"), mount("bind", "/procedures")},
			nil,
			[]policy.Placement{d, s},
		},
		{
			"a volume before what runc makes there",
			[]specs.Mount{mount("bind", "/sys/x"), mount("sysfs", "/sys")},
			nil,
			[]policy.Placement{s, d},
		},
		{
			"tmpfs that a volume needs, and not",
			[]specs.Mount{mount("tmpfs", "/run"), mount("tmpfs", "/run/lock"), mount("tmpfs", "/tmp"), mount("bind", "/run/lock/x")},
			nil,
			[]policy.Placement{s, s, d, s},
		},
		{
			"tmpfs with a copy of what is below",
			[]specs.Mount{mount("tmpfs", "/run", "tmpcopyup"), mount("bind", "/run/x")},
			nil,
			[]policy.Placement{d, c},
		},
		{
			"tmpfs below what runc makes",
			[]specs.Mount{mount("sysfs", "/sys"), mount("tmpfs", "/sys/firmware"), mount("bind", "/sys/firmware/x")},
			nil,
			[]policy.Placement{d, d, c},
		},
		{
			"tmpfs after the volume that it hides",
			[]specs.Mount{mount("bind", "/run/x"), mount("tmpfs", "/run")},
			nil,
			[]policy.Placement{s, d},
		},
		{
			"a link of the rootfs into proc",
			[]specs.Mount{mount("proc", "/proc"), mount("bind", "/link/x"), mount("bind", "/other")},
			[]string{"/proc", "/proc/x"},
			[]policy.Placement{d, c, s},
		},
		{
			"a link of the rootfs for a tmpfs",
			[]specs.Mount{mount("tmpfs", "/var/run"), mount("bind", "/run/x"), mount("bind", "/var/run/y")},
			[]string{"/run", "/run/x", ""},
			[]policy.Placement{s, s, s},
		},
		{
			"a link of the rootfs that the tmpfs hides",
			[]specs.Mount{mount("tmpfs", "/run"), mount("bind", "/run/out")},
			[]string{"/run", "/etc"},
			[]policy.Placement{s, s},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, policy.Place(policy.Decision{}, tt.mounts, tt.targets)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestMounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mount                     specs.Mount
		bind, recursive, readOnly bool
	}{
		{mount("tmpfs", "/a", "ro"), false, false, true},
		{mount("none", "/a", "rbind", "ro"), true, true, true},
		{mount("bind", "/a", "ro", "rw"), true, false, false},
		{mount("bind", "/a", "rw", "rro"), true, false, true},
		{mount("bind", "/a", "rro", "rrw"), true, false, false},
	} {
		if got := policy.IsBind(tt.mount); got != tt.bind {
			t.Errorf("IsBind(%v) = %t", tt.mount, got)
		}
		if got := policy.Recursive(tt.mount); got != tt.recursive {
			t.Errorf("Recursive(%v) = %t", tt.mount, got)
		}
		if got := policy.ReadOnly(tt.mount); got != tt.readOnly {
			t.Errorf("ReadOnly(%v) = %t", tt.mount, got)
		}
	}
}
