package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// SystemdMode says which containers get what systemd needs as their first process.
type SystemdMode string

const (
	SystemdAuto   SystemdMode = "auto"   // whose program is systemd
	SystemdAlways SystemdMode = "always" // all
	SystemdNever  SystemdMode = "never"  // none
)

var systemdModes = []SystemdMode{SystemdAuto, SystemdAlways, SystemdNever}

// badSystemd says what is wrong with a mode.
func badSystemd(m SystemdMode) string {
	if !slices.Contains(systemdModes, m) {
		return fmt.Sprintf(`%q is none of "auto", "always" and "never"`, m)
	}
	return ""
}

// systemdMode is the annotation for the mode. It opens nothing: what systemd gets is a
// tmpfs, cgroups that are the container's anyway, and a word in its environment.
func systemdMode(cfg *Config, value string, _ []rule) string {
	cfg.Systemd = SystemdMode(value)
	return badSystemd(cfg.Systemd)
}

// IsSystemd tells whether a container's first process is to be treated as systemd. The
// program is its path with all links followed, "" if that is not known.
func (c Config) IsSystemd(program string) bool {
	switch c.Systemd {
	case SystemdAlways:
		return true
	case SystemdAuto:
		return strings.HasSuffix(program, "/lib/systemd/systemd")
	}
	return false
}

// Programs are the paths at which the first process's program may be, as execvp(3) looks
// for it, the best one first.
func Programs(p *specs.Process) []string {
	name := p.Args[0]
	switch {
	case path.IsAbs(name):
		return []string{name}
	case strings.Contains(name, "/"):
		return []string{path.Join(p.Cwd, name)}
	}
	var out []string
	for _, kv := range p.Env {
		if list, ok := strings.CutPrefix(kv, "PATH="); ok {
			out = out[:0]
			for dir := range strings.SplitSeq(list, ":") {
				if path.IsAbs(dir) {
					out = append(out, path.Join(dir, name))
				}
			}
		}
	}
	return out
}

// systemdDirs are on a tmpfs where systemd runs. The sizes are Docker's for /dev/shm and
// Debian's for /run/lock; systemd would give /run a fifth of the memory.
var systemdDirs = []specs.Mount{
	{Destination: "/run", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "strictatime", "mode=755", "size=64m"}},
	{Destination: "/run/lock", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "noexec", "mode=1777", "size=5m"}},
}

// systemdCgroup is where systemd looks for its cgroups. Without it, systemd mounts them
// itself, if it may and if controllers are mounted together as they are on most hosts.
var systemdCgroup = specs.Mount{
	Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
	Options: []string{"nosuid", "noexec", "nodev", "relatime", "rw"},
}

// SystemdMounts are what systemd needs, and its client has not mounted: first is to be
// there before every other mount, last after them. The targets are as for [Place]. What the
// client mounts at one of these places is its own business; own says that /run is a tmpfs of
// the container's, and nothing of anybody else's.
func SystemdMounts(mounts []specs.Mount, targets []string) (first, last []specs.Mount, own bool) {
	at := make([]spot, len(mounts))
	kind := map[string]string{} // by target
	for i, m := range mounts {
		at[i] = spot{path.Clean(m.Destination), path.Clean(m.Destination)}
		if i < len(targets) && targets[i] != "" {
			at[i].target = path.Clean(targets[i])
		}
		kind[at[i].target], kind[at[i].name] = m.Type, m.Type
	}
	taken := func(place string) bool {
		return slices.ContainsFunc(at, func(s spot) bool { return s.on(spot{place, place}) })
	}
	run, lock := systemdDirs[0], systemdDirs[1]
	of, ok := kind[run.Destination]
	own = !ok || of == "tmpfs"
	switch {
	case !ok:
		first = append(first, run)
		if kind[lock.Destination] == "" {
			first = append(first, lock)
		}
	case own && !taken(lock.Destination):
		last = append(last, lock)
	}
	if kind["/sys"] == "sysfs" && !taken(systemdCgroup.Destination) {
		last = append(last, systemdCgroup)
	}
	return first, last, own
}

// SystemdEnv tells systemd that it is in a container (systemd.io, "The Container
// Interface"). An image that says something itself is believed. Of "oci", systemd looks
// itself for the file that Docker or podman leaves, and else calls it "container-other".
func SystemdEnv(env []string) []string {
	if slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "container=") }) {
		return env
	}
	return append(slices.Clip(env), "container=oci")
}

// SystemdMasked are units of systemd's that do what no user namespace can, mounts and modules
// of the kernel, and that try because root of a privileged container seems to have the right
// (ConditionCapability=CAP_SYS_RAWIO, CAP_SYS_MODULE). One failed unit is enough for systemd
// to call the system degraded.
var SystemdMasked = []string{
	"sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
	"proc-sys-fs-binfmt_misc.automount", "systemd-modules-load.service",
}
