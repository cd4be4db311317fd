package policy_test

import (
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// The places of a small host, which rules, sources, mounts and annotations are all
// picked from, so that they meet.
var hostPaths = []string{
	"/", "/srv", "/srv/a", "/srv/a/secret", "/srv/a/secret/x", "/srv/b", "/srv/b/public",
	"/etc", "/etc/docker", "/etc/docker/daemon.json", "/etc/motd", "/root", "/root/.ssh", "/root/.ssh/id", "/root/x",
	"/home/kim", "/home/kim/.ssh", "/usr", "/usr/bin", "/usr/bin/sh", "/usr/local/src", "/etc/passwd", "/var/lib/docker", "/var/lib/docker/volumes/v/_data", "/var/lib/docker/volumes/v",
	"/var/lib/docker/overlay2/l/diff", "/run/docker.sock", "/run/containerd/containerd.sock", "/data/docker", "/dev/fuse",
}

var hostPatterns = append([]string{"/srv/*", "/srv/*/secret", "/home/*/.ssh", "/srv/?/[a-z]*", "/var/lib/docker/volumes/*"}, hostPaths[1:]...)

// tightened are what annotations restrict most: there are exceptions in them.
var tightened = []string{"/srv", "/srv/b", "/srv/b/public", "/srv/harmless", "/var/lib/docker", "/var/lib/docker/volumes/v", "/root", "/run/docker.sock", "/dev", "/home"}

var (
	socketPins = []policy.Pin{
		{Name: "docker.io/library/docker:cli", Digest: "sha256:d", Chain: "sha256:c"},
		{Name: "localhost/tool:1", Digest: "sha256:t", Chain: "sha256:u"},
	}
	socketImages = []string{"docker.io/library/docker:cli", "docker.io/library/docker:*", "docker.io/library/docker@sha256:d", "localhost/tool:1", "localhost/tool@sha256:0", "docker.io/library/alpine:3"}
)

// defaults hold the built-in rules; near has those of them that are about hostPaths,
// which most scenarios make do with.
var defaults, near = policy.Default(), nearby()

func nearby() policy.Config {
	cfg := policy.Default()
	cfg.Mounts.Rules = slices.DeleteFunc(cfg.Mounts.Rules, func(r policy.PathRule) bool {
		needed := r.Access == policy.Masked || r.Path == "/etc/shadow" || r.Path == ownLayerRule
		return !needed && !slices.ContainsFunc(hostPaths[1:], func(p string) bool { return lies(p, r.Path) })
	})
	return cfg
}

// ownLayerRule lets the root file system of most scenarios pass.
const ownLayerRule = "/var/lib/containerd/io.containerd.snapshotter.v1.*/snapshots/*/fs"

// someConfig is what an administrator might write.
func someConfig(rng *rand.Rand) policy.Config {
	cfg := near
	if rng.IntN(32) == 0 {
		cfg = defaults
	}
	for range rng.IntN(4) {
		switch rng.IntN(10) {
		case 0, 1:
			list := slices.Clone(cfg.Mounts.Rules)
			for range 1 + rng.IntN(3) {
				r := policy.PathRule{Path: pick(rng, hostPatterns...), Access: pick(rng, policy.Restricted, policy.Masked, policy.Readable, policy.Excepted, policy.Layers)}
				list = slices.DeleteFunc(list, func(o policy.PathRule) bool { return o.Path == r.Path })
				list = append(list, r)
			}
			cfg.Mounts.Rules = list
		case 2:
			cfg.Mounts.Only = []string{pick(rng, hostPatterns...), pick(rng, hostPatterns...)}[:rng.IntN(3)]
		case 3:
			cfg.Sockets.Images = []string{pick(rng, socketImages...), pick(rng, socketImages...)}
			cfg.Sockets.Pins = socketPins[:1+rng.IntN(2)]
			cfg.Sockets.AllowDerived = rng.IntN(2) == 0
			cfg.Sockets.Commands.Type = pick(rng, "", "", "deny", "allow")
		case 4:
			cfg.Hooks.Allow = []string{"/usr/bin/nerdctl", "/opt/*"}[:rng.IntN(3)]
		case 5:
			cfg.Namespaces.RequireOwn = true
		case 6:
			cfg.Devices.Allow = nil
		case 7:
			cfg.Emulation.Enabled = rng.IntN(2) == 0
			cfg.Emulation.Mknod = policy.MknodNames()[:rng.IntN(10)]
		default:
			rules := map[string]policy.Mode{}
			for _, name := range policy.Switchable() {
				if rng.IntN(3) == 0 {
					rules[name] = pick(rng, policy.Warn, policy.Off)
				}
			}
			cfg.Rules = rules
		}
	}
	return cfg
}

// someAnnotations are what a client might add; most have none.
func someAnnotations(rng *rand.Rand) map[string]string {
	if rng.IntN(3) > 0 {
		return nil
	}
	out := map[string]string{}
	for range 1 + rng.IntN(3) {
		switch rng.IntN(11) {
		case 0, 1, 2:
			out["eci.containerd.io/restricted-mounts"] = pick(rng, tightened...) + pick(rng, ":", ",") + pick(rng, hostPatterns...)
		case 3:
			out["eci.containerd.io/enforce"] = pick(rng, "all", "all", "hook", "restricted-mount,rootfs", "engine-socket", "mapping", "no-rule", "")
		case 4:
			out["eci.containerd.io/devices"] = pick(rng, "none", "none", "all")
		case 5:
			out["eci.containerd.io/engine-sockets"] = "none"
		case 6:
			out["eci.containerd.io/hooks"] = "none"
		case 7:
			out["eci.containerd.io/require-own-network"] = pick(rng, "true", "true", "false")
		case 8:
			out[pick(rng, "bundle", "org.criu.config", "org.systemd.property.After", "org.systemd.property.CollectMode", "eci.containerd.io/", "eci.containerd.io/off")] = "x"
		case 9:
			out[pick(rng, "eci.containerd.io/mknod", "eci.containerd.io/sysctl-ceilings")] = pick(rng, "none", "none", "none", "all")
		default:
			out["io.kubernetes.cri.sandbox-id"] = "aa11"
		}
	}
	return out
}

// someFacts is what the host might be.
func someFacts(rng *rand.Rand, cfg policy.Config, spec *specs.Spec) policy.Facts {
	facts := policy.Facts{
		Bundle:        "/run/a/new",
		TimeNamespace: true,
		Boottime:      time.Duration(rng.Int64N(1 << 50)),
		Monotonic:     time.Duration(rng.Int64N(1 << 50)),
		Sources:       make(map[int]policy.Source, len(spec.Mounts)),
		Namespaces:    someNamespaces(rng, spec),
	}
	if len(cfg.Devices.Allow) > 0 {
		facts.Devices = hostDevices
	}
	for i, m := range spec.Mounts {
		if policy.IsBind(m) && rng.IntN(32) > 0 {
			facts.Sources[i] = someSource(rng, m)
		}
	}
	if rng.IntN(8) == 0 {
		facts.Layers = []policy.Source{someSource(rng, specs.Mount{}), someSource(rng, specs.Mount{})}
	} else {
		facts.Layers = ownLayers
	}
	facts.Places = somePlaces(rng, cfg)
	if rng.IntN(4) > 0 {
		facts.Agent, facts.WaitKillable, facts.Platform, facts.CPUs = true, rng.IntN(2) == 0, pick(rng, "amd64", "arm64", "riscv64"), rng.IntN(8)
	}
	if rng.IntN(2) == 0 {
		facts.Image = policy.Image{Name: "docker.io/library/docker:cli", Chain: []string{pick(rng, "sha256:c", "sha256:u", "sha256:e"), pick(rng, "sha256:c", "sha256:u", "sha256:0")}}
	}
	return facts
}

// somePlaces says where some patterns lead, and that there is nothing at some masks, or at
// any.
func somePlaces(rng *rand.Rand, cfg policy.Config) map[string]policy.Location {
	if rng.IntN(4) == 0 {
		return nil
	}
	places, none := map[string]policy.Location{}, rng.IntN(2) == 0
	for _, r := range cfg.Mounts.Rules {
		if r.Access == policy.Masked {
			places[r.Path] = policy.Location{Path: r.Path, Missing: none || rng.IntN(4) > 0}
		}
	}
	if rng.IntN(6) == 0 {
		places[pick(rng, hostPatterns...)] = policy.Location{Path: "/data/docker", Links: pick(rng, nil, []string{"/srv/link"}, []string{"/root/x/link"})}
		places["/etc/docker/daemon.json"] = policy.Location{Path: "/etc/docker/daemon.json", Files: []policy.FileID{{Device: 1, Inode: 7}}}
		places["/etc/passwd"] = policy.Location{Path: "/etc/passwd", Files: []policy.FileID{{Device: 1, Inode: 7}}}
		places["/run/docker.sock"] = policy.Location{Path: "/run/docker.sock", Files: []policy.FileID{{Device: 1, Inode: 8}}}
	}
	return places
}

var (
	ownLayers   = []policy.Source{source(policy.KindDir, "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs")}
	hostDevices = []policy.Node{
		{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, Mode: 0o666},
		{Path: "/dev/kvm", Type: "c", Major: 10, Minor: 232, Mode: 0o660, GID: 100107},
		{Path: "/dev/loop7", Type: "b", Major: 7, Minor: 7, Mode: 0o660},
	}
	boundDevices = append([]policy.Node{
		{Type: "c", Major: 1, Minor: 3, Mode: 0o666},
		{Type: "b", Major: 8, Minor: 0, Mode: 0o660},
	}, hostDevices...)
)

// someSource is what a mount's source might be: most are harmless.
func someSource(rng *rand.Rand, m specs.Mount) policy.Source {
	s := source(policy.KindDir, pick(rng, "/srv/harmless", "/data/harmless", "/srv/b/public", "/var/lib/docker/volumes/v/_data"))
	if m.Source == "" || rng.IntN(2) == 0 {
		s.Paths = []string{pick(rng, hostPaths...)}
	}
	for range rng.IntN(3) {
		switch rng.IntN(14) {
		case 0, 1:
			s = policy.Source{Kind: policy.KindDevice, Node: pick(rng, boundDevices...), Paths: []string{"/dev/fuse"}}
		case 2, 3:
			s.Kind, s.Paths = policy.KindSocket, []string{pick(rng, "/run/docker.sock", "/run/containerd/containerd.sock", "/srv/s", "/run/user/1000/docker.sock")}
		case 4:
			s.Kind = pick(rng, policy.KindFile, policy.KindOther, policy.KindSocket, "door")
		case 5:
			s.Paths = append(s.Paths, pick(rng, hostPaths...))
		case 6:
			s.Below = append(s.Below, policy.Submount{Paths: []string{path.Join(pick(rng, s.Paths...), "sub"), pick(rng, hostPaths...)}, FileSystem: pick(rng, "ext4", "ext4", "proc")})
		case 7:
			s.Layers = append(s.Layers, []string{pick(rng, hostPaths...)})
		case 8:
			s.FileSystem = pick(rng, "proc", "sysfs", "tmpfs", "overlay")
		case 9:
			s.Linked = pick(rng, "?", "/etc/shadow")
		case 10:
			s.Device, s.Inode = 1, pick[uint64](rng, 7, 8)
		case 11:
			s.Own = pick(rng, "", "/run/eci")
		case 12:
			s.Below = append(s.Below, policy.Submount{Paths: []string{path.Join(s.Paths[0], "part"), pick(rng, hostPaths...)}, FileSystem: "ext4", Part: true})
		case 13:
			s = policy.Source{Kind: s.Kind, Paths: nil, FileSystem: "ext4"}
			return s
		}
	}
	return s
}

// someNamespaces says of most paths what a client hopes for, and of some the worst.
func someNamespaces(rng *rand.Rand, spec *specs.Spec) map[int]policy.Namespace {
	if spec.Linux == nil {
		return nil
	}
	found := map[int]policy.Namespace{}
	users := []specs.LinuxIDMapping{{HostID: 300000, Size: 65536}}
	for i, ns := range spec.Linux.Namespaces {
		if ns.Path == "" || rng.IntN(16) == 0 {
			continue
		}
		fact := policy.Namespace{Type: ns.Type, UserNS: pick[uint64](rng, 7, 7, 7, 8), Container: "/run/a/x", UIDMappings: users, GIDMappings: users}
		for range rng.IntN(3) {
			switch rng.IntN(10) {
			case 0:
				fact.Host, fact.HostOwned = true, true
			case 1:
				fact.HostOwned = true
			case 2:
				fact.HostOwned, fact.UserNS, fact.Container = true, 0, ""
			case 3:
				fact.Foreign = true
			case 4:
				fact.Nested = true
			case 5:
				fact.Type = pick(rng, specs.PIDNamespace, specs.LinuxNamespaceType(""))
			case 6:
				fact.Container = ""
			case 7:
				fact.GIDMappings = nil
			case 8:
				fact.Container = "/run/b/x"
			case 9:
				fact.HostOwned, fact.Pod = true, pick(rng, "", "aa11", "other")
			}
		}
		found[i] = fact
	}
	return found
}
