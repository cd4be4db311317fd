package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkSysctls lets a spec set what belongs to a namespace of the container. All other
// settings are the host's.
func checkSysctls(r *request, _ *Decision) *Violation {
	const field = "linux.sysctl"
	for _, key := range slices.Sorted(maps.Keys(r.spec.Linux.Sysctl)) {
		name, ok := settingName(key)
		switch t := namespaceOf(name); {
		case !ok:
			return malformed(field, "%q is not the name of a kernel setting", key)
		case name == "kernel.hostname":
			return malformed(field, "%q has a field of its own in the spec, hostname", key)
		case t == "":
			return denied(field, "%q is a setting of the whole host; a container can set only what belongs to its own namespaces", key)
		case !r.hasOwn(t):
			return denied(field, "%q belongs to the %s namespace, and the container has none of its own", key, t)
		}
	}
	return nil
}

// settingName writes a name with dots. One that mixes both separators, for an interface
// with a dot in its name, means one thing to runc's check and another when runc writes
// it (1.5.2).
func settingName(key string) (name string, ok bool) {
	if strings.Contains(key, ".") && strings.Contains(key, "/") {
		return "", false
	}
	name = strings.ReplaceAll(key, "/", ".")
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || strings.ContainsFunc(part, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return "", false
		}
	}
	return name, true
}

// ipcSettings are the settings of an IPC namespace, beside fs.mqueue, that runc knows
// (1.5.2); ipc_namespaces(7) has a few more.
var ipcSettings = []string{
	"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
	"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
}

// namespaceOf gives the type of namespace that a setting belongs to, or nothing for the
// host's.
func namespaceOf(setting string) specs.LinuxNamespaceType {
	switch {
	case strings.HasPrefix(setting, "net."):
		return specs.NetworkNamespace
	case strings.HasPrefix(setting, "fs.mqueue."), slices.Contains(ipcSettings, setting):
		return specs.IPCNamespace
	case setting == "kernel.domainname":
		return specs.UTSNamespace
	case strings.HasPrefix(setting, "user."):
		return specs.UserNamespace
	}
	return ""
}

// hasOwn tells whether a container has a namespace that is not the host's: a new one, or
// that of another container.
func (r *request) hasOwn(t specs.LinuxNamespaceType) bool {
	if slices.Contains(given, t) {
		return true
	}
	i := slices.IndexFunc(r.spec.Linux.Namespaces, isType(t))
	if i < 0 {
		return false
	}
	if r.spec.Linux.Namespaces[i].Path == "" {
		return true
	}
	joined := r.facts.Namespaces[i]
	return joined.Type == t && !joined.Host
}
