package policy_test

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// machine is a way to call the kernel.
type machine struct {
	name string
	bits uint // of an argument, and of what it is compared with
}

var machines = []machine{{"64 bits", 64}, {"32 bits", 32}}

// outcomes are the actions that a profile may take, as runc's documentation and
// libseccomp's have it. Where there are several, it depends on libseccomp's order.
func outcomes(p *specs.LinuxSeccomp, m machine, call string, args [6]uint64) []string {
	if p == nil {
		return []string{"SCMP_ACT_ALLOW"}
	}
	byDefault := outcome1(p.DefaultAction, p.DefaultErrnoRet)
	var rules []specs.LinuxSyscall
	for _, r := range p.Syscalls {
		if slices.Contains(r.Names, call) && outcome1(r.Action, r.ErrnoRet) != byDefault {
			rules = append(rules, r)
		}
	}
	for _, r := range rules {
		if len(r.Args) == 0 {
			return []string{outcome1(r.Action, r.ErrnoRet)}
		}
	}
	var out []string
	for _, r := range rules {
		if matches(m, r.Args, args) {
			out = append(out, outcome1(r.Action, r.ErrnoRet))
		}
	}
	if slices.Sort(out); len(out) > 0 {
		return slices.Compact(out)
	}
	return []string{byDefault}
}

func outcome1(a specs.LinuxSeccompAction, errno *uint) string {
	switch {
	case a == specs.ActKill:
		return string(specs.ActKillThread)
	case a != specs.ActErrno && a != specs.ActTrace:
		return string(a)
	case errno == nil:
		return fmt.Sprint(a, 1)
	}
	return fmt.Sprint(a, *errno%(1<<16))
}

// matches tells whether the conditions of a rule hold: all, or, if two are about one
// argument, any.
func matches(m machine, conditions []specs.LinuxSeccompArg, args [6]uint64) bool {
	all, some, twice := true, false, false
	var seen [6]bool
	for _, c := range conditions {
		mask := uint64(1)<<m.bits - 1 // 1<<64 is 0
		v, one, two := args[c.Index]&mask, c.Value&mask, c.ValueTwo&mask
		holds := c.Op == specs.OpEqualTo && v == one || c.Op == specs.OpNotEqual && v != one ||
			c.Op == specs.OpLessThan && v < one || c.Op == specs.OpLessEqual && v <= one ||
			c.Op == specs.OpGreaterThan && v > one || c.Op == specs.OpGreaterEqual && v >= one ||
			c.Op == specs.OpMaskedEqual && v&one == two&one
		all, some, twice = all && holds, some || holds, twice || seen[c.Index]
		seen[c.Index] = true
	}
	return all || twice && some
}

// allowed tells whether the kernel carries the call out.
func allowed(outcome string) bool { return outcome == "SCMP_ACT_ALLOW" || outcome == "SCMP_ACT_LOG" }
