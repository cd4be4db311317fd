package policy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

var profiles = flag.Uint64("profiles", 1_000, "how many profiles TestProfiles makes")

// answered are the system calls of the table, with the arguments that they are about.
var answered = map[string]func([6]uint64) bool{
	"mount": always, "fsopen": always, "umount2": always, "umount": always, "move_mount": always, "sysinfo": always, "sched_getaffinity": always, "syslog": always,
	"open_tree": func(a [6]uint64) bool { return a[2]&1 != 0 },
	"mknod":     func(a [6]uint64) bool { return isDevice(a[1]) },
	"mknodat":   func(a [6]uint64) bool { return isDevice(a[2]) },
}

func always([6]uint64) bool { return true }

func isDevice(mode uint64) bool { return mode&0o170000 == 0o020000 || mode&0o170000 == 0o060000 }

var answeredNames = append([]string{"syslog"}, policy.Intercepted()...)

// TestProfiles: whatever a profile says, what it denies stays denied, in the same way; what it allows
// is answered, if it can be; and for all others nothing changes.
func TestProfiles(t *testing.T) {
	t.Parallel()
	asked, done := 0, 0
	for seed := range *profiles {
		rng := rand.New(rand.NewPCG(seed, 2))
		p := someProfile(rng)
		a, d := checkProfile(t, rng, p)
		asked, done = asked+a, done+d
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, text(p))
		}
	}
	if done < asked*8/10 {
		t.Errorf("only %d of %d calls that profiles let through are answered", done, asked)
	}
}

func FuzzProfile(f *testing.F) {
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mknod"],"action":"SCMP_ACT_LOG","args":[{"index":1,"value":1,"op":"SCMP_CMP_GT"}]}]}`), uint64(1))
	for seed := range uint64(20) {
		f.Add([]byte(text(someProfile(rand.New(rand.NewPCG(seed, 3))))), seed)
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		p := new(specs.LinuxSeccomp)
		if json.Unmarshal(data, p) != nil || p.DefaultAction == "" || p.DefaultAction == specs.ActNotify {
			return
		}
		for _, r := range p.Syscalls {
			if r.Action == specs.ActNotify || slices.ContainsFunc(r.Args, func(a specs.LinuxSeccompArg) bool {
				return a.Index > 5 || a.Op == specs.OpMaskedEqual && (a.Value == 0 || uint32(a.Value) == 0)
			}) {
				return // refused, by this runtime or by runc; or what libseccomp takes for no condition
			}
		}
		checkProfile(t, rand.New(rand.NewPCG(seed, 4)), p)
	})
}

// checkProfile gives how many of the calls that are asked about a profile lets through, and
// how many are answered.
func checkProfile(t *testing.T, rng *rand.Rand, p *specs.LinuxSeccomp) (asked, done int) {
	t.Helper()
	before := text(p)
	q, names := policy.Answer(p, "amd64", answeredNames...)
	if text(p) != before {
		t.Fatalf("the client's profile was written to: %s", cmp.Diff(before, text(p)))
	}
	if q2, again := policy.Answer(q, "amd64", answeredNames...); len(again) > 0 || text(q2) != text(q) {
		t.Errorf("twice is not once: %v %s", again, cmp.Diff(text(q), text(q2)))
	}
	sameFrame(t, p, q)
	for _, call := range append([]string{"getpid", "write"}, answeredNames...) {
		let := false
		for range 24 {
			var args [6]uint64
			for i := range args {
				args[i] = someValue(rng)
			}
			for _, m := range machines {
				if broken := broken(p, q, m, names, call, args); broken != "" {
					t.Fatalf("%s, %s(%x): %s\n%s", m.name, call, args, broken, text(q))
				}
				let = let || answered[call] != nil && answered[call](args) && allowed(outcomes(p, m, call, args)[0])
			}
		}
		if let {
			asked++
			if slices.Contains(names, call) {
				done++
			}
		}
	}
	return asked, done
}

// broken compares what happens to a call under the client's profile and under what is made
// of it.
func broken(p, q *specs.LinuxSeccomp, m machine, names []string, call string, args [6]uint64) string {
	if m.bits == 32 {
		for i := range args {
			args[i] &= 1<<32 - 1
		}
	}
	was, is := outcomes(p, m, call, args), outcomes(q, m, call, args)
	want := slices.Clone(was)
	for i, w := range want {
		switch about := slices.Contains(names, call) && answered[call](args); {
		case allowed(w) && about && call == "syslog":
			want[i] = "SCMP_ACT_ERRNO1"
		case allowed(w) && about:
			want[i] = "SCMP_ACT_NOTIFY"
		}
	}
	slices.Sort(want)
	if call == "syslog" && slices.Equal(is, []string{"SCMP_ACT_ERRNO1"}) {
		return "" // rather for everybody than in the same way
	}
	if want = slices.Compact(want); slices.Equal(want, is) {
		return ""
	}
	return fmt.Sprintf("was %v, is %v, has to be %v", was, is, want)
}

// sameFrame: besides rules nothing changes, and no call is named that was not. What runc makes
// of calls that the profile does not know depends on the last one that it names.
func sameFrame(t *testing.T, p, q *specs.LinuxSeccomp) {
	t.Helper()
	a, b := *p, *q
	a.Syscalls, b.Syscalls = nil, nil
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("-client's +runc's: %s", diff)
	}
	empty := func(r specs.LinuxSyscall) bool { return len(r.Names) == 0 }
	if slices.ContainsFunc(q.Syscalls, empty) && !slices.ContainsFunc(p.Syscalls, empty) {
		t.Error("a rule about nothing")
	}
	if allowed(string(p.DefaultAction)) {
		return
	}
	if before, after := namesOf(p), namesOf(q); !slices.Equal(before, after) {
		t.Errorf("names: -client's +runc's: %s", cmp.Diff(before, after))
	}
}

func namesOf(p *specs.LinuxSeccomp) (names []string) {
	for _, r := range p.Syscalls {
		names = append(names, r.Names...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// someProfile is one that a client might write, or somebody who wants to get around it.
func someProfile(rng *rand.Rand) *specs.LinuxSeccomp {
	some := func() (specs.LinuxSeccompAction, *uint) {
		return pick(rng, specs.ActAllow, specs.ActAllow, specs.ActAllow, specs.ActLog, specs.ActErrno, specs.ActErrno, specs.ActTrap, specs.ActTrace, specs.ActKill, specs.ActKillThread, specs.ActKillProcess),
			pick(rng, nil, nil, new(uint), ptr[uint](1), ptr[uint](38), ptr[uint](65537))
	}
	p := &specs.LinuxSeccomp{Architectures: pick(rng, nil, []specs.Arch{specs.ArchX86_64}, []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32})}
	p.DefaultAction, p.DefaultErrnoRet = some()
	about := []string{"getpid", pick(rng, answeredNames...), pick(rng, answeredNames...), pick(rng, "mknod", "mknodat", "open_tree")}
	for range rng.IntN(6) {
		var r specs.LinuxSyscall
		r.Action, r.ErrnoRet = some()
		for range 1 + rng.IntN(3) {
			r.Names = append(r.Names, pick(rng, about...))
		}
		for range pick(rng, 0, 0, 1, 1, 1, 2, 3) {
			r.Args = append(r.Args, someCondition(rng))
		}
		p.Syscalls = append(p.Syscalls, r)
	}
	return p
}

func ptr[T any](v T) *T { return &v }

func someCondition(rng *rand.Rand) specs.LinuxSeccompArg {
	a := specs.LinuxSeccompArg{
		Index: pick[uint](rng, 0, 1, 1, 2, 2), Value: someValue(rng),
		Op: pick(rng, specs.OpEqualTo, specs.OpEqualTo, specs.OpNotEqual, specs.OpMaskedEqual, specs.OpMaskedEqual, specs.OpMaskedEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual),
	}
	if a.Op == specs.OpMaskedEqual {
		a.Value |= pick[uint64](rng, 1, 0x2000, 0x8000)
		a.ValueTwo = someValue(rng) & pick(rng, a.Value, ^uint64(0))
	}
	return a
}

func someValue(rng *rand.Rand) uint64 {
	return pick(rng, 0, 1, 1, 2, 5, 0o010644, 0o020000, 0o020666, 0o060600, 0o100644, 0o140755, 0o170000, 0o130000, 1<<32, 1<<32|1, 1<<63, ^uint64(0), rng.Uint64()>>rng.IntN(64))
}
