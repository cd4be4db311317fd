package policy_test

import (
	"math/rand/v2"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// disturb makes a few changes that a hostile or careless client might
// make. Without it most inputs would end at the first rules.
func disturb(rng *rand.Rand, s *specs.Spec) {
	if s.Linux == nil || s.Process == nil || s.Root == nil {
		s.Linux, s.Root = new(specs.Linux), &specs.Root{Path: "rootfs"}
		s.Process = &specs.Process{Args: []string{"sh"}, Cwd: "/"}
	}
	if rng.IntN(8) > 0 {
		s.Linux.Namespaces = nil
		for _, t := range []specs.LinuxNamespaceType{"pid", "network", "ipc", "uts", "mount"} {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t})
		}
	}
	for range pick(rng, 0, 0, 1, 1, 1, 2, 2, 3, 6) {
		disturbances[rng.IntN(len(disturbances))](rng, s)
	}
}

// clone copies a spec as far as disturb and Rewrite may change it. What is left shared
// is for reading only.
func clone(s *specs.Spec) *specs.Spec {
	out := *s
	out.Mounts = slices.Clone(s.Mounts)
	if s.Process != nil {
		process := *s.Process
		process.User.AdditionalGids = slices.Clone(process.User.AdditionalGids)
		process.Rlimits = slices.Clip(process.Rlimits)
		out.Process = &process
	}
	if s.Linux != nil {
		linux := *s.Linux
		linux.Namespaces, linux.Devices = slices.Clone(linux.Namespaces), slices.Clip(linux.Devices)
		if linux.Resources != nil {
			resources := *linux.Resources
			resources.Devices = slices.Clip(resources.Devices)
			linux.Resources = &resources
		}
		out.Linux = &linux
	}
	return &out
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

var disturbances = []func(*rand.Rand, *specs.Spec){
	func(rng *rand.Rand, s *specs.Spec) { s.Mounts = append(s.Mounts, someMount(rng)) },
	func(rng *rand.Rand, s *specs.Spec) { s.Mounts = append(s.Mounts, someMount(rng), someMount(rng)) },
	func(rng *rand.Rand, s *specs.Spec) { s.Linux.Devices = append(s.Linux.Devices, someDevice(rng)) },
	func(rng *rand.Rand, s *specs.Spec) {
		if s.Linux.Resources == nil {
			s.Linux.Resources = new(specs.LinuxResources)
		}
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, someRule(rng))
	},
	func(rng *rand.Rand, s *specs.Spec) {
		m := []specs.LinuxIDMapping{{
			ContainerID: pick[uint32](rng, 0, 0, 1),
			HostID:      pick[uint32](rng, 0, 1000, 300000, 4294901760, 4294901759),
			Size:        pick[uint32](rng, 65536, 65536, 131072, 1, 0),
		}}
		s.Linux.UIDMappings = m
		if rng.IntN(4) > 0 {
			s.Linux.GIDMappings = m
		}
	},
	func(rng *rand.Rand, s *specs.Spec) {
		s.Process.User.AdditionalGids = append(s.Process.User.AdditionalGids, pick[uint32](rng, 5, 65535, 65536))
	},
	func(rng *rand.Rand, s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{
			Type: pick[specs.LinuxNamespaceType](rng, "user", "cgroup", "time", "pid", "x"),
			Path: pick(rng, "", "", "", "/proc/1/ns/user"),
		})
	},
	func(rng *rand.Rand, s *specs.Spec) {
		for i := range s.Linux.Namespaces {
			s.Linux.Namespaces[i].Path = pick(rng, "", "/proc/4711/ns/x", "/run/netns/x")
		}
	},
	func(rng *rand.Rand, s *specs.Spec) {
		s.Linux.CgroupsPath = pick(rng, "/default/c", "system.slice:docker:c", "", "/", "..", "a/..")
	},
	func(rng *rand.Rand, s *specs.Spec) {
		key := pick(rng, "net.ipv4.ping_group_range", "net/ipv4/ping_group_range", "kernel.shmmax", "fs.mqueue.msg_max", "kernel.domainname",
			"user.max_user_namespaces", "kernel.panic", "net/../kernel/panic", "vm.swappiness", "kernel.hostname")
		s.Linux.Sysctl = map[string]string{key: pick(rng, "0 2147483647", "70000 80000", "1 0", "x")}
	},
	func(rng *rand.Rand, s *specs.Spec) {
		hook := []specs.Hook{{Path: pick(rng, "/usr/bin/nerdctl", "/opt/hook", "/opt/../bin/sh", "/tmp/evil", "hook")}}
		s.Hooks = &specs.Hooks{}
		for _, list := range []*[]specs.Hook{&s.Hooks.CreateRuntime, &s.Hooks.CreateContainer, &s.Hooks.StartContainer, &s.Hooks.Poststart, &s.Hooks.Poststop} {
			if rng.IntN(3) == 0 {
				*list = hook
			}
		}
	},
	func(rng *rand.Rand, s *specs.Spec) {
		s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: pick(rng, "RLIMIT_RTPRIO", "RLIMIT_NICE", "RLIMIT_NOFILE"), Hard: pick[uint64](rng, 0, 20, 40)})
		s.Process.Scheduler = &specs.Scheduler{Policy: pick(rng, specs.SchedOther, specs.SchedBatch, specs.SchedFIFO), Nice: pick[int32](rng, 0, 5, -5)}
		s.Process.IOPriority = &specs.LinuxIOPriority{Class: pick(rng, specs.IOPRIO_CLASS_BE, specs.IOPRIO_CLASS_IDLE, specs.IOPRIO_CLASS_RT)}
	},
	func(rng *rand.Rand, s *specs.Spec) {
		s.Linux.Seccomp = someProfile(rng)
		if rng.IntN(16) == 0 {
			s.Linux.Seccomp.ListenerPath = "/run/docker.sock"
		}
		quota := pick[int64](rng, -1, 0, 50000, 150000, 1<<62)
		s.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &quota, Cpus: pick(rng, "", "0-3", "0,2", "x")}}
	},
	func(rng *rand.Rand, s *specs.Spec) {
		s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: pick(rng, "", "gold", "/"), L3CacheSchema: pick(rng, "", "L3:0=f")}
	},
	func(rng *rand.Rand, s *specs.Spec) {
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: rng.Int64()}}
	},
}

func someMount(rng *rand.Rand) specs.Mount {
	m := specs.Mount{
		Destination: pick(rng, "/data", "/data/x", "/dev", "/dev/", "/dev/shm", "/dev/fuse", "/proc", "/proc/uptime", "/run", "/run/x", "/sys/fs/cgroup", "/", "/a/../b", "rel", "/a//b/."),
		Type:        pick(rng, "tmpfs", "bind", "none", "", "proc", "sysfs", "cgroup", "cgroup2", "mqueue", "overlay", "devtmpfs"),
		Source:      pick(rng, "/srv", "/srv/\n", "rel", "", "cgroup", "tmpfs", "/dev/fuse"),
	}
	for range rng.IntN(4) {
		m.Options = append(m.Options, pick(rng, "bind", "rbind", "ro", "rw", "rro", "nosuid", "nodev", "dev", "rslave", "mode=755", "tmpcopyup", "idmap", "remount"))
	}
	return m
}

func someDevice(rng *rand.Rand) specs.LinuxDevice {
	d := specs.LinuxDevice{
		Path:  pick(rng, "/dev/fuse", "/dev/kvm", "/dev/null", "/dev/null/x", "/dev/fd/3", "/dev", "/opt/x", "/dev/../x", "x", "/dev/ptmx", "/dev/console"),
		Type:  pick(rng, "c", "c", "c", "b", "u", "p", "x"),
		Major: pick[int64](rng, 1, 10, 5, 8, -1),
		Minor: pick[int64](rng, 3, 229, 232, 1, 2, 0, -1),
	}
	if rng.IntN(3) == 0 {
		mode, id := os.FileMode(rng.Uint32()), pick[uint32](rng, 0, 1000, 70000)
		d.FileMode, d.UID, d.GID = &mode, &id, &id
	}
	return d
}

func someRule(rng *rand.Rand) specs.LinuxDeviceCgroup {
	r := specs.LinuxDeviceCgroup{
		Allow:  rng.IntN(3) > 0,
		Type:   pick(rng, "", "a", "c", "b"),
		Access: pick(rng, "rwm", "rw", "r", "m", "x", ""),
	}
	if rng.IntN(2) == 0 {
		major := pick[int64](rng, -1, 1, 10, 8)
		r.Major = &major
	}
	if rng.IntN(2) == 0 {
		minor := pick[int64](rng, -1, 229, 0, 3)
		r.Minor = &minor
	}
	return r
}
