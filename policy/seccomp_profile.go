package policy

import (
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// profile is a seccomp profile as runc and libseccomp (2.3 to 2.6) understand it:
//
//   - a rule with the default action is left out;
//   - of the rules for a call, the first one without conditions decides, whatever the others say;
//   - else those decide whose conditions hold. Where they have several actions it depends on
//     libseccomp's order of conditions, of which nothing is assumed here;
//   - the conditions of a rule hold together, but if two are about one argument, each is a
//     rule of its own.
type profile struct{ *specs.LinuxSeccomp }

// maxRules bounds how many rules about one call are looked at, and maxParts how many come in
// addition. A filter has at most 4096 instructions (BPF_MAXINSNS), of which a rule takes
// some six for each architecture.
const (
	maxRules = 64
	maxParts = 12
)

// answer gives rules by which a call is answered where it was let through. False: it never
// is, or cannot be parted from what is denied; then the rules stay as they are. What is to
// fail always can be: it fails altogether then.
func (p profile) answer(c syscall) ([]specs.LinuxSyscall, bool) {
	if c.action == specs.ActNotify && len(c.where) == 0 && !letsThrough(p.DefaultAction) {
		return p.replaced(c)
	}
	var parts []specs.LinuxSyscall
	var changed bool
	rules, ok := p.about(c.name)
	if ok {
		parts, changed, ok = p.parted(rules, c)
	}
	if !ok && c.action == specs.ActErrno {
		parts, changed, ok = []specs.LinuxSyscall{c.rule(nil)}, true, true
	}
	if !ok || !changed {
		return nil, false
	}
	return append(p.without(c.name), parts...), true
}

// replaced changes actions only: conditions and their order stay.
func (p profile) replaced(c syscall) (out []specs.LinuxSyscall, changed bool) {
	for _, r := range p.Syscalls {
		if !slices.Contains(r.Names, c.name) || !letsThrough(r.Action) {
			out = append(out, r)
			continue
		}
		changed = true
		if names := others(r, c.name); len(names) > 0 {
			out = append(out, specs.LinuxSyscall{Names: names, Action: r.Action, ErrnoRet: r.ErrnoRet, Args: r.Args})
		}
		out = append(out, c.rule(r.Args))
	}
	return out, changed
}

// parted are the rules about a call, of which those that let it through are cut into what is
// answered and what is not, and rules for what the default action lets through.
func (p profile) parted(rules []specs.LinuxSyscall, c syscall) (out []specs.LinuxSyscall, changed, ok bool) {
	for _, r := range rules {
		inside, some, can := both(r.Args, c.where)
		if !letsThrough(r.Action) || can && !some {
			out = append(out, r)
			continue
		}
		outside, cut := minus([]conditions{r.Args}, c.where)
		if !can || !cut {
			return nil, false, false
		}
		out, changed = append(out, c.rule(inside)), true
		for _, args := range outside {
			r.Args = args
			out = append(out, r)
		}
	}
	if letsThrough(p.DefaultAction) {
		rest := []conditions{c.where}
		for _, r := range rules {
			if rest, ok = minus(rest, r.Args); !ok {
				return nil, false, false
			}
		}
		for _, args := range rest {
			out, changed = append(out, c.rule(args)), true
		}
	}
	return out, changed, len(out) <= len(rules)+maxParts
}

// about are the rules that count for a call, each for it alone. False: there are too many, they
// cannot be parted, or it is not known what holds where several do.
func (p profile) about(name string) ([]specs.LinuxSyscall, bool) {
	var rules []specs.LinuxSyscall
	for _, r := range p.Syscalls {
		if !slices.Contains(r.Names, name) || same(r, specs.LinuxSyscall{Action: p.DefaultAction, ErrnoRet: p.DefaultErrnoRet}) {
			continue
		}
		r.Names = []string{name}
		for _, args := range split(r.Args) {
			if r.Args = args; len(rules) == maxRules || !simple(args) {
				return nil, false
			}
			rules = append(rules, r)
		}
	}
	if i := slices.IndexFunc(rules, func(r specs.LinuxSyscall) bool { return len(r.Args) == 0 }); i >= 0 {
		return rules[i : i+1], true
	}
	for i, a := range rules {
		for _, b := range rules[:i] {
			if same(a, b) || letsThrough(a.Action) && letsThrough(b.Action) {
				continue
			}
			if _, some, ok := both(a.Args, b.Args); some || !ok {
				return nil, false
			}
		}
	}
	return rules, true
}

// without are the rules of a profile without a name. runc has no use for a rule without any.
func (p profile) without(name string) (out []specs.LinuxSyscall) {
	for _, r := range p.Syscalls {
		if slices.Contains(r.Names, name) {
			if r.Names = others(r, name); len(r.Names) == 0 {
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

func others(r specs.LinuxSyscall, name string) []string {
	return slices.DeleteFunc(slices.Clone(r.Names), func(n string) bool { return n == name })
}

// rule is the one by which a call is answered.
func (c syscall) rule(args conditions) specs.LinuxSyscall {
	r := specs.LinuxSyscall{Names: []string{c.name}, Action: c.action, Args: args}
	if c.action == specs.ActErrno {
		errno := uint(eperm)
		r.ErrnoRet = &errno
	}
	return r
}

// eperm is what runc takes where a profile gives no number, errno(3).
const eperm = 1

// letsThrough tells whether the kernel carries out a call.
func letsThrough(a specs.LinuxSeccompAction) bool { return a == specs.ActAllow || a == specs.ActLog }

// same tells whether two rules do the same.
func same(a, b specs.LinuxSyscall) bool { return act(a) == act(b) }

// act gives an action and its number, as runc compares them.
func act(r specs.LinuxSyscall) [2]string {
	number := ""
	switch {
	case r.Action == specs.ActKill:
		r.Action = specs.ActKillThread
	case r.Action == specs.ActErrno || r.Action == specs.ActTrace:
		number = strconv.Itoa(eperm)
		if r.ErrnoRet != nil {
			number = strconv.Itoa(int(uint16(*r.ErrnoRet)))
		}
	}
	return [2]string{string(r.Action), number}
}
