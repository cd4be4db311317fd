package policy_test

import (
	"fmt"
	"math/rand/v2"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// excused gives what is broken unless the rule for it is off, or warns and has written
// it down.
func (p *passage) excused(rule, field, broken string) string {
	switch p.cfg.Rules[rule] {
	case policy.Off:
		return ""
	case policy.Warn:
		if !slices.ContainsFunc(p.decision.Findings, func(f policy.Finding) bool {
			return f.Rule == rule && f.Field == field && f.Reason != "" && f.Verdict == policy.Warned
		}) {
			return fmt.Sprintf("the rule %s did not write down %s: %s", rule, field, broken)
		}
		return ""
	}
	return field + ": " + broken
}

// readOnly reads options once more: the last word counts.
func readOnly(m specs.Mount) bool {
	for _, option := range slices.Backward(m.Options) {
		if option == "ro" || option == "rro" {
			return true
		}
		if option == "rw" || option == "rrw" {
			return false
		}
	}
	return false
}

// noRestrictedVolumes looks at what binds show, with what is masked, and at what can be
// written to.
func noRestrictedVolumes(p *passage) string {
	for i, m := range p.spec.Mounts {
		s := p.facts.Sources[i]
		if !policy.IsBind(m) {
			continue
		}
		field := fmt.Sprintf("mounts[%d].source", i)
		why := ""
		switch {
		case s.Kind == policy.KindDevice || isEngine(p.cfg, p.facts, s):
			why = p.final(s)
		default:
			writable := !readOnly(m)
			why = exposed(p.cfg, p.facts, s, policy.Excepted, slices.Concat(p.decision.Masks[i], p.decision.Absent[i]), writable)
			if len(p.decision.Absent[i]) > 0 && (!writable || p.cfg.Rules["restricted-mount"] == policy.Warn) {
				return field + ": what has to be masked has to be absent"
			}
		}
		if why != "" {
			if broken := p.excused("restricted-mount", field, why); broken != "" {
				return broken
			}
			continue
		}
		_, loose := p.cfg.Rules["restricted-mount"]
		if s.Kind == policy.KindDir && !loose && p.asksToFollow(m) && p.inException(s) != p.decision.Private[i] {
			return fmt.Sprintf("%s: private is %t", field, p.decision.Private[i])
		}
	}
	return ""
}

// asksToFollow tells whether a bind wants what will be mounted on the host.
func (p *passage) asksToFollow(m specs.Mount) bool {
	slave := slices.Contains(m.Options, "rslave") // the only one of its kind in a scenario
	return slave && !slices.ContainsFunc(m.Options, func(o string) bool { return strings.HasSuffix(o, "private") })
}

// inException tells whether a source, or something in it, is what an exception opens that
// engines mount at.
func (p *passage) inException(s policy.Source) bool {
	names := slices.Clone(s.Paths)
	for _, m := range s.Below {
		names = append(names, m.Paths...)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		r, found := ruling(p.cfg, p.facts, name)
		return found && r.Access == policy.Excepted && !r.Follows
	})
}

// final says which path without exceptions shows a source.
func (p *passage) final(s policy.Source) string {
	for _, r := range p.cfg.Mounts.Rules {
		for _, pattern := range placed(p.facts, r.Path) {
			if r.Final && slices.ContainsFunc(s.Paths, func(name string) bool { return lies(name, pattern) }) {
				return "lies in " + pattern
			}
		}
	}
	return ""
}

func noRestrictedRootfs(p *passage) string {
	for _, layer := range p.facts.Layers {
		if why := exposed(p.cfg, p.facts, layer, policy.Layers, nil, false); why != "" {
			if broken := p.excused("rootfs", "root.path", why); broken != "" {
				return broken
			}
		}
	}
	return ""
}

// noUnprovenSockets wants a pin for every socket, by the image's content.
func noUnprovenSockets(p *passage) string {
	for i, m := range p.spec.Mounts {
		if !policy.IsBind(m) || !isEngine(p.cfg, p.facts, p.facts.Sources[i]) {
			continue
		}
		field := fmt.Sprintf("mounts[%d].source", i)
		socket, given := p.decision.Sockets[i]
		limited := p.cfg.Sockets.Commands.Type != ""
		if given && limited && !socket.Broker && (socket.Engine == "docker" || socket.Engine == "podman") {
			return field + ": the commands are not looked at"
		}
		if !given || !p.pinned() || limited && !socket.Broker {
			if broken := p.excused("engine-socket", field, fmt.Sprintf("%+v, image %+v", socket, p.facts.Image)); broken != "" {
				return broken
			}
			continue
		}
		if !slices.ContainsFunc(p.decision.Findings, func(f policy.Finding) bool { return f.Field == field && f.Verdict == policy.Granted }) {
			return field + ": not written down"
		}
	}
	return ""
}

// pinned tells whether the image is one that the administrator has listed and pinned.
func (p *passage) pinned() bool {
	for _, pin := range p.cfg.Sockets.Pins {
		at := slices.Index(p.facts.Image.Chain, pin.Chain)
		if at < 0 || at > 0 && !p.cfg.Sockets.AllowDerived {
			continue
		}
		bare := pin.Name[:strings.LastIndexByte(pin.Name, ':')]
		for _, image := range p.cfg.Sockets.Images {
			if image == pin.Name || image == bare+":*" || image == bare+"@"+pin.Digest {
				return true
			}
		}
	}
	return false
}

// onlyOwnSettings wants each sysctl in a namespace that is not the host's.
func onlyOwnSettings(p *passage) string {
	has := func(t specs.LinuxNamespaceType) bool {
		return slices.ContainsFunc(p.after.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == t })
	}
	for key := range p.after.Linux.Sysctl {
		name := strings.ReplaceAll(key, "/", ".")
		switch {
		case strings.Contains(name, ".."):
		case strings.HasPrefix(name, "net.") && has(specs.NetworkNamespace):
			continue
		case (strings.HasPrefix(name, "fs.mqueue.") || strings.HasPrefix(name, "kernel.shm") || strings.HasPrefix(name, "kernel.msg") || name == "kernel.sem") && has(specs.IPCNamespace):
			continue
		case name == "kernel.domainname" && has(specs.UTSNamespace), strings.HasPrefix(name, "user."):
			continue
		}
		return key
	}
	return ""
}

// onlyListedHooks compares hooks with the administrator's list.
func onlyListedHooks(p *passage) string {
	h := p.spec.Hooks
	if h == nil {
		return ""
	}
	for name, list := range map[string][]specs.Hook{
		"prestart":      h.Prestart, //lint:ignore SA1019 runc still runs them
		"createRuntime": h.CreateRuntime, "createContainer": h.CreateContainer, "startContainer": h.StartContainer,
		"poststart": h.Poststart, "poststop": h.Poststop,
	} {
		for i, hook := range list {
			listed := slices.ContainsFunc(p.cfg.Hooks.Allow, func(pattern string) bool {
				ok, err := path.Match(pattern, hook.Path)
				return ok && err == nil
			})
			if path.IsAbs(hook.Path) && (p.cfg.Hooks.Allow == nil || listed) {
				continue
			}
			if broken := p.excused("hook", fmt.Sprintf("hooks.%s[%d].path", name, i), hook.Path); broken != "" {
				return broken
			}
		}
	}
	if p.cfg.Hooks.Allow != nil && p.cfg.Rules["hook"] != policy.Off {
		for _, hook := range p.after.Hooks.CreateRuntime {
			if len(hook.Env) != 1 || !strings.HasPrefix(hook.Env[0], "PATH=") {
				return "a listed hook has an environment of the client's"
			}
		}
	}
	for _, hook := range p.after.Hooks.CreateContainer {
		if len(hook.Env) == 0 {
			return "a hook inherits the container's environment"
		}
	}
	return ""
}

// nothingBeforeTheHost looks at priorities.
func nothingBeforeTheHost(p *passage) string {
	process := p.spec.Process
	if s := process.Scheduler; s != nil {
		if s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR || s.Policy == specs.SchedDeadline {
			if broken := p.excused("scheduling", "process.scheduler.policy", string(s.Policy)); broken != "" {
				return broken
			}
		}
		if s.Nice < 0 {
			if broken := p.excused("scheduling", "process.scheduler.nice", "nice"); broken != "" {
				return broken
			}
		}
	}
	if io := process.IOPriority; io != nil && io.Class == specs.IOPRIO_CLASS_RT {
		if broken := p.excused("scheduling", "process.ioPriority.class", "real time"); broken != "" {
			return broken
		}
	}
	for i, l := range process.Rlimits {
		if l.Type == "RLIMIT_RTPRIO" && l.Soft+l.Hard > 0 {
			if broken := p.excused("scheduling", fmt.Sprintf("process.rlimits[%d]", i), "real time"); broken != "" {
				return broken
			}
		}
	}
	return ""
}

// everyBindIsOurs wants volumes that the kernel locks: none is left to runc as the
// client wrote it.
func everyBindIsOurs(p *passage) string {
	for i, m := range p.spec.Mounts {
		if at := p.placements[i]; policy.IsBind(m) && at != policy.Staged && at != policy.Cloned {
			return fmt.Sprintf("the bind onto %s is %s", m.Destination, at)
		}
	}
	return ""
}

// seccompHolds looks at what is made of the client's profile.
func seccompHolds(p *passage) string {
	before, after := p.spec.Linux.Seccomp, p.after.Linux.Seccomp
	if len(p.decision.Intercepts)+len(p.decision.Refuses) == 0 {
		if !reflect.DeepEqual(before, after) {
			return "nothing is answered, and the profile is another one"
		}
		return ""
	}
	if !p.facts.Agent || after == nil || after.ListenerPath != p.grant.Listener || (len(p.decision.Intercepts) > 0) != (after.ListenerPath != "") {
		return fmt.Sprintf("%v are answered, by %+v", p.decision.Intercepts, after)
	}
	if len(p.decision.Intercepts) > 0 && !p.cfg.Emulation.Enabled {
		return fmt.Sprintf("%v are answered without emulation", p.decision.Intercepts)
	}
	if before == nil || before.DefaultAction == "" && len(before.Syscalls) == 0 {
		before = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	}
	rng, names := rand.New(rand.NewPCG(p.seed, 5)), slices.Concat(p.decision.Intercepts, p.decision.Refuses)
	for call := range answered {
		var args [6]uint64
		for i := range args {
			args[i] = someValue(rng)
		}
		for _, m := range machines {
			if broken := broken(before, after, m, names, call, args); broken != "" {
				return fmt.Sprintf("%s, %s(%x): %s", m.name, call, args, broken)
			}
		}
	}
	for _, n := range p.decision.Mknod {
		if n.Type != "c" || n.Major != 1 && n.Major != 5 && n != (policy.Node{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}) && n != (policy.Node{Path: "/dev/net/tun", Type: "c", Major: 10, Minor: 200}) {
			return fmt.Sprintf("nodes may be made of %+v", n)
		}
	}
	return ""
}

// annotationsHold reads annotations once more, and looks at what passed: no mode and no
// exception of the configuration counts against them.
func annotationsHold(p *passage) string {
	said := func(name string) string { return p.spec.Annotations["eci.containerd.io/"+name] }
	for i, m := range p.spec.Mounts {
		s := p.facts.Sources[i]
		if !policy.IsBind(m) {
			continue
		}
		if said("engine-sockets") != "" && isEngine(p.cfg, p.facts, s) {
			return "an engine's socket"
		}
		if said("devices") != "" && s.Kind == policy.KindDevice && (s.Node.Major != 1 || s.Node.Type != "c") {
			return "a device"
		}
		for _, restricted := range strings.FieldsFunc(said("restricted-mounts"), func(c rune) bool { return c == ':' || c == ',' }) {
			for _, name := range s.Paths {
				if slices.ContainsFunc(placed(p.facts, restricted), func(at string) bool { return lies(name, at) }) {
					return name + " lies in " + restricted
				}
			}
		}
	}
	h := p.spec.Hooks
	if said("hooks") != "" && h != nil && len(h.CreateRuntime)+len(h.CreateContainer)+len(h.StartContainer)+len(h.Poststart)+len(h.Poststop) > 0 {
		return "a hook"
	}
	if said("mknod") != "" && len(p.decision.Mknod) > 0 {
		return "a node"
	}
	if said("sysctl-ceilings") != "" && len(p.cfg.Sysctl.Ceilings) > 0 {
		return "a setting of the host"
	}
	if said("require-own-network") != "" && p.decision.Borrowed {
		return "a network of the host's user namespace"
	}
	if said("enforce") == "all" {
		for _, f := range p.decision.Findings {
			if f.Verdict == policy.Warned {
				return f.Reason
			}
		}
	}
	return ""
}
