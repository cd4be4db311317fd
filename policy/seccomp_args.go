package policy

import (
	"math"
	"math/bits"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// conditions are those of a rule. All have to hold; none means always.
type conditions = []specs.LinuxSeccompArg

// split gives the conditions of a rule as runc takes them: if an argument has two, each
// condition stands for itself.
func split(args conditions) []conditions {
	seen := map[uint]bool{}
	for _, a := range args {
		seen[a.Index] = true
	}
	if len(seen) == len(args) {
		return []conditions{args}
	}
	var out []conditions
	for _, a := range args {
		out = append(out, conditions{a})
	}
	return out
}

// simple tells whether conditions can be parted: there is one at most, and it means the same
// for all architectures. Of several, libseccomp (2.5.4) loses some where rules have one
// in common. In an architecture of 32 bits it compares with the lower half of a number, and
// where no bit is looked at, it drops the condition.
func simple(args conditions) bool {
	switch {
	case len(args) == 0:
		return true
	case len(args) > 1 || args[0].Index > 5 || args[0].Value > math.MaxUint32 || args[0].ValueTwo > math.MaxUint32:
		return false
	case args[0].Op == specs.OpMaskedEqual:
		return args[0].Value != 0
	}
	return opposite[args[0].Op] != ""
}

// both are the conditions that hold where a and b do, which are simple. Some is false where
// they never do together, and ok where no simple condition says it.
func both(a, b conditions) (c conditions, some, ok bool) {
	switch {
	case len(a) == 0:
		return b, true, true
	case len(b) == 0:
		return a, true, true
	case a[0].Index != b[0].Index:
		return nil, true, false
	}
	one, some, ok := and(a[0], b[0])
	return conditions{one}, some, ok
}

// minus takes what b is about out of what the elements of a list are about.
func minus(list []conditions, b conditions) (out []conditions, ok bool) {
	for _, a := range list {
		if _, some, ok := both(a, b); ok && !some {
			out = append(out, a)
			continue
		}
		for _, c := range b {
			for _, n := range not(c) {
				part, some, ok := both(a, conditions{n})
				if !ok {
					return nil, false
				}
				if some {
					out = append(out, part)
				}
			}
		}
	}
	return out, len(out) <= maxRules
}

// opposite are the comparisons that hold where another does not.
var opposite = map[specs.LinuxSeccompOperator]specs.LinuxSeccompOperator{
	specs.OpEqualTo: specs.OpNotEqual, specs.OpNotEqual: specs.OpEqualTo,
	specs.OpLessThan: specs.OpGreaterEqual, specs.OpGreaterEqual: specs.OpLessThan,
	specs.OpGreaterThan: specs.OpLessEqual, specs.OpLessEqual: specs.OpGreaterThan,
}

// not are conditions of which at least one holds where c does not, and none where c does: for
// masked bits, one about each.
func not(c specs.LinuxSeccompArg) (out conditions) {
	if c.Op != specs.OpMaskedEqual {
		c.Op = opposite[c.Op]
		return conditions{c}
	}
	for left := c.Value; left != 0; left &= left - 1 {
		bit := uint64(1) << bits.TrailingZeros64(left)
		out = append(out, specs.LinuxSeccompArg{Index: c.Index, Value: bit, ValueTwo: ^c.ValueTwo & bit, Op: c.Op})
	}
	return out
}

// and is the condition that holds where two about one argument do.
func and(a, b specs.LinuxSeccompArg) (c specs.LinuxSeccompArg, some, ok bool) {
	if b.Op == specs.OpEqualTo || b.Op == specs.OpMaskedEqual && a.Op != specs.OpEqualTo {
		a, b = b, a
	}
	switch {
	case a == b:
		return a, true, true
	case b.Op == opposite[a.Op] && b.Value == a.Value:
		return a, false, true
	case a.Op == specs.OpEqualTo:
		return a, holds(b, a.Value), true
	case a.Op == specs.OpMaskedEqual && b.Op == specs.OpMaskedEqual:
		if (a.ValueTwo^b.ValueTwo)&a.Value&b.Value != 0 {
			return a, false, true
		}
		a.ValueTwo = a.ValueTwo&a.Value | b.ValueTwo&b.Value
		a.Value |= b.Value
		return a, true, true
	case b.Op == specs.OpNotEqual && !holds(a, b.Value):
		return a, true, true
	case a.Op == specs.OpNotEqual && !holds(b, a.Value):
		return b, true, true
	}
	return a, true, false
}

// holds tells whether a condition holds for a value of the argument.
func holds(c specs.LinuxSeccompArg, value uint64) bool {
	switch c.Op {
	case specs.OpEqualTo:
		return value == c.Value
	case specs.OpNotEqual:
		return value != c.Value
	case specs.OpLessThan:
		return value < c.Value
	case specs.OpLessEqual:
		return value <= c.Value
	case specs.OpGreaterThan:
		return value > c.Value
	case specs.OpGreaterEqual:
		return value >= c.Value
	case specs.OpMaskedEqual:
		return value&c.Value == c.ValueTwo&c.Value
	}
	return false
}
