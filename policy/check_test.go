package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// plain is a spec that breaks no rule, with facts that it needs.
func plain() (*specs.Spec, policy.Facts) {
	spec := &specs.Spec{
		Process: &specs.Process{Args: []string{"sh"}, Cwd: "/"},
		Root:    &specs.Root{Path: "rootfs"},
		Linux:   &specs.Linux{},
	}
	for _, t := range []specs.LinuxNamespaceType{"pid", "network", "ipc", "uts", "mount"} {
		spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: t})
	}
	return spec, policy.Facts{TimeNamespace: true, Sources: map[int]policy.Source{}}
}

// source is one that no default restricts.
func source(kind policy.Kind, paths ...string) policy.Source {
	return policy.Source{Kind: kind, Paths: paths, FileSystem: "ext4", Device: 2049, Inode: 12}
}

// TestCheck holds what is not worth a directory in testdata: variants of what
// stands there, and what JSON cannot say.
func TestCheck(t *testing.T) {
	t.Parallel()
	type facts = policy.Facts
	bind := func(s *specs.Spec, f *facts, kind policy.Kind, options ...string) {
		s.Mounts = append(s.Mounts, mount("bind", "/data", options...))
		f.Sources[len(s.Mounts)-1] = source(kind, "/srv")
	}
	for _, tt := range []struct {
		name   string
		change func(*specs.Spec, *facts)
		field  string // empty: passes
		class  error
	}{
		{"plain", func(*specs.Spec, *facts) {}, "", nil},
		{"rootfs without a path", func(s *specs.Spec, _ *facts) { s.Root.Path = "" }, "root.path", policy.ErrMalformed},
		{"null byte in the rootfs", func(s *specs.Spec, _ *facts) { s.Root.Path = "/a\x00" }, "root.path", policy.ErrMalformed},
		{"null byte in cwd", func(s *specs.Spec, _ *facts) { s.Process.Cwd = "/a\x00" }, "process.cwd", policy.ErrMalformed},
		{"group outside", func(s *specs.Spec, _ *facts) { s.Process.User.GID = 65536 }, "process.user.gid", policy.ErrDenied},
		{"null byte in a source", func(s *specs.Spec, f *facts) {
			bind(s, f, policy.KindDir)
			s.Mounts[0].Source = "/a\x00"
		}, "mounts[0].source", policy.ErrMalformed},
		{"socket", func(s *specs.Spec, f *facts) { bind(s, f, policy.KindSocket, "rbind") }, "", nil},
		{"file", func(s *specs.Spec, f *facts) { bind(s, f, policy.KindFile, "bind", "ro", "nosuid", "rprivate") }, "", nil},
		{"source of no kind we know", func(s *specs.Spec, f *facts) { bind(s, f, "door") }, "mounts[0].source", policy.ErrUnsupported},
		{"no facts about a device", func(s *specs.Spec, f *facts) { bind(s, f, policy.KindDevice) }, "mounts[0].source", policy.ErrDenied},
		{"ID-mapped tmpfs", func(s *specs.Spec, _ *facts) { s.Mounts = []specs.Mount{mount("tmpfs", "/a", "idmap")} }, "mounts[0]", policy.ErrMalformed},
		{"ID-mapped by the container's namespace", func(s *specs.Spec, f *facts) { bind(s, f, policy.KindDir, "ridmap") }, "", nil},
		{"ID-mapped groups only, twice", func(s *specs.Spec, f *facts) {
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 200000, Size: 65536}}
			s.Linux.GIDMappings = s.Linux.UIDMappings
			bind(s, f, policy.KindDir)
			s.Mounts[0].GIDMappings = []specs.LinuxIDMapping{{HostID: 200000, Size: 65536}, {HostID: 200000, Size: 1}}
		}, "mounts[0].gidMappings[1]", policy.ErrMalformed},
		{"empty extent", func(s *specs.Spec, _ *facts) {
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 200000}}
		}, "linux.uidMappings[0]", policy.ErrMalformed},
		{"more extents than the kernel takes", func(s *specs.Spec, _ *facts) {
			s.Linux.UIDMappings = make([]specs.LinuxIDMapping, 341)
		}, "linux.uidMappings", policy.ErrMalformed},
		{"only groups are mapped", func(s *specs.Spec, _ *facts) {
			s.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: 200000, Size: 65536}}
		}, "linux.uidMappings", policy.ErrMalformed},
		{"user namespace without a path", func(s *specs.Spec, _ *facts) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user"}, specs.LinuxNamespace{Type: "cgroup"})
		}, "", nil},
		{"/dev of a strange type", func(s *specs.Spec, _ *facts) { s.Mounts = []specs.Mount{mount("proc", "/dev")} }, "mounts[0].type", policy.ErrDenied},
		{"FIFO", func(s *specs.Spec, _ *facts) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "p"}}
		}, "linux.devices[0]", policy.ErrDenied},
		{"relative device", func(s *specs.Spec, _ *facts) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "null", Type: "c", Major: 1, Minor: 3}}
		}, "linux.devices[0].path", policy.ErrMalformed},
		{"null byte in a device", func(s *specs.Spec, _ *facts) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/a\x00", Type: "c", Major: 1, Minor: 3}}
		}, "linux.devices[0].path", policy.ErrMalformed},
		{"device below another of the client", func(s *specs.Spec, _ *facts) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/a", Type: "c", Major: 1, Minor: 3}, {Path: "/dev/a/b", Type: "c", Major: 1, Minor: 3}}
		}, "linux.devices[1].path", policy.ErrDenied},
		{"device of a user outside", func(s *specs.Spec, _ *facts) {
			uid := uint32(65536)
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/a", Type: "c", Major: 1, Minor: 3, UID: &uid}}
		}, "linux.devices[0].uid", policy.ErrDenied},
		{"null byte in the cgroup", func(s *specs.Spec, _ *facts) { s.Linux.CgroupsPath = "/a\x00" }, "linux.cgroupsPath", policy.ErrMalformed},
		{"cgroup of the runtime", func(s *specs.Spec, _ *facts) { s.Linux.CgroupsPath = "./" }, "linux.cgroupsPath", policy.ErrDenied},
		{"limits", func(s *specs.Spec, _ *facts) {
			s.Linux.CgroupsPath = "system.slice:docker:c"
			s.Linux.Resources = &specs.LinuxResources{Unified: map[string]string{"memory.high": "1"}}
		}, "", nil},
		{"seccomp without a listener", func(s *specs.Spec, _ *facts) { s.Linux.Seccomp = &specs.LinuxSeccomp{} }, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec, facts := plain()
			tt.change(spec, &facts)
			_, err := policy.Check(policy.Default(), facts, spec)
			violates(t, err, "", tt.field, tt.class)
		})
	}
	_, err := policy.Check(policy.Default(), policy.Facts{}, nil)
	violates(t, err, "structure", "spec", policy.ErrMalformed)
}

// TestZeroFactsDeny: what nobody has looked at is refused.
func TestZeroFactsDeny(t *testing.T) {
	t.Parallel()
	spec, _ := plain()
	_, err := policy.Check(policy.Default(), policy.Facts{}, spec)
	violates(t, err, "time-namespace", "linux.namespaces", policy.ErrUnsupported)

	spec.Mounts = []specs.Mount{mount("bind", "/data")}
	_, err = policy.Check(policy.Default(), policy.Facts{TimeNamespace: true}, spec)
	violates(t, err, "volume-source", "mounts[0].source", policy.ErrMalformed)
}

func TestCheckProcess(t *testing.T) {
	t.Parallel()
	user := func(u specs.User) *specs.Process { return &specs.Process{Args: []string{"id"}, Cwd: "/", User: u} }
	for _, tt := range []struct {
		name        string
		process     *specs.Process
		rule, field string
		class       error
	}{
		{"root", user(specs.User{}), "", "", nil},
		{"the last user", user(specs.User{UID: 65535, GID: 65535, AdditionalGids: []uint32{1, 65535}}), "", "", nil},
		{"nothing", nil, "process", "process", policy.ErrMalformed},
		{"no program", &specs.Process{Cwd: "/"}, "process", "process.args", policy.ErrMalformed},
		{"no directory", &specs.Process{Args: []string{"id"}}, "process", "process.cwd", policy.ErrMalformed},
		{"user outside", user(specs.User{UID: 65536}), "user-ids", "process.user.uid", policy.ErrDenied},
		{"group outside", user(specs.User{GID: 65536}), "user-ids", "process.user.gid", policy.ErrDenied},
		{"additional group outside", user(specs.User{AdditionalGids: []uint32{1, 1 << 31}}), "user-ids", "process.user.additionalGids[1]", policy.ErrDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.CheckProcess(policy.Default(), tt.process, policy.MinSize)
			violates(t, err, tt.rule, tt.field, tt.class)
		})
	}
}

// violates asserts which rule is broken, where and how; no class means none.
func violates(t *testing.T, err error, rule, field string, class error) {
	t.Helper()
	if class == nil {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var v *policy.Violation
	if !errors.As(err, &v) {
		t.Fatalf("want a violation in %s, got %v", field, err)
	}
	if rule != "" && v.Rule != rule || v.Field != field || !errors.Is(err, class) {
		t.Errorf("want the rule %q in %s (%v), got %v (%v)", rule, field, class, err, v.Class)
	}
	if strings.ContainsAny(err.Error(), "\x00\n") {
		t.Errorf("not one printable line: %q", err)
	}
}

func TestCheckResources(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		resources *specs.LinuxResources
		want      string
	}{
		{"none", nil, ""},
		{"a limit", &specs.LinuxResources{Unified: map[string]string{"memory.high": "1"}}, ""},
		{"a process", &specs.LinuxResources{Unified: map[string]string{"cgroup.procs": "1"}}, "rule cgroup, field linux.resources.unified"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := policy.CheckResources(tt.resources)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestModesOfProcesses: the rules for every process heed their modes, and say what they
// let pass.
func TestModesOfProcesses(t *testing.T) {
	t.Parallel()
	greedy := &specs.Process{
		Args: []string{"jackd"}, Cwd: "/",
		Rlimits:    []specs.POSIXRlimit{{Type: "RLIMIT_RTPRIO", Hard: 95, Soft: 95}, {Type: "RLIMIT_NICE", Hard: 40}},
		IOPriority: &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_RT},
		Scheduler:  &specs.Scheduler{Policy: specs.SchedFIFO, Priority: 1, Nice: -1},
	}
	for mode, want := range map[policy.Mode][]string{
		policy.Enforce: nil,
		policy.Warn:    {"process.scheduler.policy", "process.scheduler.nice", "process.ioPriority.class", "process.rlimits[0]", "process.rlimits[1]"},
		policy.Off:     nil,
	} {
		cfg := policy.Default()
		cfg.Rules = map[string]policy.Mode{"scheduling": mode}
		findings, err := policy.CheckProcess(cfg, greedy, policy.MinSize)
		if mode == policy.Enforce {
			violates(t, err, "scheduling", "process.scheduler.policy", policy.ErrDenied)
		} else if err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		var got []string
		for _, f := range findings {
			got = append(got, f.Field)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", mode, diff)
		}
	}
}

func TestTooMuch(t *testing.T) {
	t.Parallel()
	for want, add := range map[string]func(*specs.Spec){
		"1001 mounts, of at most 1000 (rule structure, field mounts)": func(s *specs.Spec) {
			s.Mounts = slices.Repeat([]specs.Mount{mount("tmpfs", "/run")}, 1001)
		},
		"17 namespaces, of at most 16 (rule structure, field linux.namespaces)": func(s *specs.Spec) {
			s.Linux.Namespaces = slices.Repeat([]specs.LinuxNamespace{{Type: "network", Path: "/proc/1/ns/net"}}, 17)
		},
		"2001 devices, of at most 2000 (rule structure, field linux.devices)": func(s *specs.Spec) {
			s.Linux.Devices = make([]specs.LinuxDevice, 2001)
		},
		"4001 device rules, of at most 4000 (rule structure, field linux.resources.devices)": func(s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Devices: make([]specs.LinuxDeviceCgroup, 4001)}
		},
		"65 limits, of at most 64 (rule structure, field process.rlimits)": func(s *specs.Spec) {
			s.Process.Rlimits = make([]specs.POSIXRlimit, 65)
		},
		"1048577 bytes of annotations, of at most 1048576 (rule structure, field annotations)": func(s *specs.Spec) {
			s.Annotations = map[string]string{"a": strings.Repeat("x", 1<<20)}
		},
	} {
		spec, facts := plain()
		add(spec)
		_, err := policy.Check(policy.Default(), facts, spec)
		for _, err := range []error{err, policy.CheckStructure(spec)} {
			if err == nil || err.Error() != "error in the container spec: the spec has "+want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}
