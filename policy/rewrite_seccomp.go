package policy

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rewriteSeccomp lets the agent answer system calls that the client's profile lets through.
// Where nothing is to be answered the profile stays as it is.
func rewriteSeccomp(spec *specs.Spec, r *rewrite) {
	calls := r.decision.syscalls()
	if len(calls) == 0 {
		return
	}
	profile, _ := answer(spec.Linux.Seccomp, calls, r.facts.Platform)
	if r.grant.Listener != "" {
		profile.ListenerPath = r.grant.Listener
		profile.ListenerMetadata = ""
		profile.Flags = killable(profile.Flags, r.facts.WaitKillable)
	}
	spec.Linux.Seccomp = profile
}

// killable adds the flag by which a system call that is being answered ends on SIGKILL only,
// seccomp(2): no signal makes the caller try again what was done already. Without any flag,
// runc sets SPEC_ALLOW.
func killable(flags []specs.LinuxSeccompFlag, can bool) []specs.LinuxSeccompFlag {
	if !can || slices.Contains(flags, specs.LinuxSeccompFlagWaitKillableRecv) {
		return flags
	}
	if flags == nil {
		flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagSpecAllow}
	}
	return append(slices.Clip(flags), specs.LinuxSeccompFlagWaitKillableRecv)
}

// architectures are those whose system calls a kernel takes, by the platform as Go calls it.
// For any other one libseccomp knows which is its own.
var architectures = map[string][]specs.Arch{
	"amd64": {specs.ArchX86_64, specs.ArchX86, specs.ArchX32},
	"arm64": {specs.ArchAARCH64, specs.ArchARM},
}

// open is the profile of a container without one: everything is let through.
func open(platform string) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: slices.Clone(architectures[platform])}
}

// answer gives the profile in which calls are answered as they say wherever the client's one
// lets them through, and those for which that could be done. What the client's profile
// denies is denied as before, and of everything else nothing changes. The client's profile
// is not written to.
func answer(client *specs.LinuxSeccomp, calls []syscall, platform string) (*specs.LinuxSeccomp, []syscall) {
	// runc takes a profile that says nothing for none.
	if client == nil || client.DefaultAction == "" && len(client.Syscalls) == 0 {
		client = open(platform)
	}
	out := *client
	var done []syscall
	for _, c := range calls {
		if rules, ok := (profile{&out}).answer(c); ok {
			out.Syscalls = rules
			done = append(done, c)
		}
	}
	return &out, done
}
