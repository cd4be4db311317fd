package policy

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// syscall is a system call that containers do not get from the kernel as it is.
type syscall struct {
	// name is as libseccomp has it, which gives it the number that it has in each
	// architecture of a profile, and ignores it in those that lack it.
	name string

	// action is ActNotify: the agent answers; or ActErrno: it fails with EPERM.
	action specs.LinuxSeccompAction

	// where limits it to some arguments; nil: always.
	where []specs.LinuxSeccompArg

	// when limits it to some containers; nil: all.
	when func(*request) bool
}

// syscalls are in order of the man pages that they stand in. What is not here (fsmount,
// fsconfig, mount_setattr, …) the kernel answers.
var syscalls = []syscall{
	// A new proc or sysfs gets the pseudo-files before anybody sees it (P15).
	{name: "mount", action: specs.ActNotify},
	{name: "fsopen", action: specs.ActNotify},

	// Pseudo-files stay where they are.
	{name: "umount2", action: specs.ActNotify},
	{name: "umount", action: specs.ActNotify}, // umount(2) without flags, of 32-bit x86 and ARM
	{name: "move_mount", action: specs.ActNotify},

	// A copy of a tree, open_tree(2), has them, too; one that only opens does no harm.
	{name: "open_tree", action: specs.ActNotify, where: masked32(2, openTreeClone, openTreeClone)},

	// Nodes of harmless devices may be made, mknod(2). Mode and type come in one argument.
	{name: "mknod", action: specs.ActNotify, where: masked32(1, deviceMask, deviceBits), when: makesNodes},
	{name: "mknodat", action: specs.ActNotify, where: masked32(2, deviceMask, deviceBits), when: makesNodes},

	// What the files say is what system calls say (P13).
	{name: "sysinfo", action: specs.ActNotify},
	{name: "sched_getaffinity", action: specs.ActNotify, when: func(r *request) bool { return narrowed(r.facts, r.spec) }},

	// The kernel's log is the host's. Without kernel.dmesg_restrict, everybody could read
	// it, syslog(2).
	{name: "syslog", action: specs.ActErrno},
}

const (
	openTreeClone = 1 // OPEN_TREE_CLONE

	// S_IFCHR is 0020000 and S_IFBLK 0060000: the bits in which all other types differ
	// from both, inode(7).
	deviceMask = 0o130000
	deviceBits = 0o020000
)

// masked32 is the condition that args[index] & mask is bits. The kernel looks at the lower
// half of these arguments only, and so does this.
func masked32(index uint, mask, bits uint64) []specs.LinuxSeccompArg {
	return []specs.LinuxSeccompArg{{Index: index, Value: mask, ValueTwo: bits, Op: specs.OpMaskedEqual}}
}

func makesNodes(r *request) bool { return len(r.cfg.Emulation.Mknod) > 0 }

// Intercepted names the system calls that the agent may have to answer, in order. Which
// of them it gets from a container is in [Decision].
func Intercepted() []string {
	var names []string
	for _, c := range syscalls {
		if c.action == specs.ActNotify {
			names = append(names, c.name)
		}
	}
	return names
}

// decideSyscalls says which system calls are not the kernel's to answer.
func decideSyscalls(r *request, d *Decision) {
	if !r.facts.Agent {
		return
	}
	var calls []syscall
	for _, c := range syscalls {
		if (c.action != specs.ActNotify || r.cfg.Emulation.Enabled) && (c.when == nil || c.when(r)) {
			calls = append(calls, c)
		}
	}
	_, done := answer(r.spec.Linux.Seccomp, calls, r.facts.Platform)
	for _, c := range done {
		if c.action == specs.ActNotify {
			d.Intercepts = append(d.Intercepts, c.name)
		} else {
			d.Refuses = append(d.Refuses, c.name)
		}
	}
	if slices.Contains(d.Intercepts, "mknod") || slices.Contains(d.Intercepts, "mknodat") {
		d.Mknod = r.cfg.Emulation.nodes()
	}
}

// syscalls are those of the table that were decided about.
func (d Decision) syscalls() []syscall {
	var out []syscall
	for _, c := range syscalls {
		if slices.Contains(d.Intercepts, c.name) || slices.Contains(d.Refuses, c.name) {
			out = append(out, c)
		}
	}
	return out
}
