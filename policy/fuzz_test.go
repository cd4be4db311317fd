package policy_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// FuzzCheckRewrite asserts what has to hold whatever the spec is: a refusal is
// one line and has a rule; what is let through isolates. The seed picks the
// facts, and what is changed in the spec on top of the bytes. Inputs are long,
// so it gets further without making them shorter: -fuzzminimizetime 1x.
func FuzzCheckRewrite(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/spec.json")
	if err != nil {
		f.Fatal(err)
	}
	for i, name := range seeds {
		f.Add(read(f, name), uint64(i))
		f.Add(read(f, name), uint64(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		spec := new(specs.Spec)
		if json.Unmarshal(data, spec) != nil {
			spec = new(specs.Spec)
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		if seed != 0 {
			disturb(rng, spec)
		}
		decideAndRewrite(t, rng, spec)
	})
}

func decideAndRewrite(t *testing.T, rng *rand.Rand, spec *specs.Spec) {
	cfg, facts := policy.Default(), someFacts(rng, spec)
	before := marshal(t, spec)
	d, err := policy.Check(cfg, facts, spec)
	if after := marshal(t, spec); after != before {
		t.Fatalf("Check changed the spec: %s", cmp.Diff(before, after))
	}
	if err != nil {
		refusal(t, err)
		return
	}
	places := policy.Place(spec.Mounts, nil)
	g := grantFor(cfg, d, places)
	if rng.IntN(2) == 0 {
		g.UserNS = "/proc/4711/fd/9"
	}
	if err := policy.Rewrite(spec, d, places, g, facts); err != nil {
		t.Fatal(err)
	}
	for _, i := range invariants {
		if broken := i.check(spec, d, g, facts); broken != "" {
			t.Errorf("%s: %s\nfrom %s", i.name, broken, before)
		}
	}
	if g.UserNS == "" {
		again(t, cfg, spec, g, facts)
	}
}

// again decides and rewrites what came out, which must change nothing more.
func again(t *testing.T, cfg policy.Config, spec *specs.Spec, g policy.Grant, facts policy.Facts) {
	first := marshal(t, spec)
	spec.Mounts = spec.Mounts[1:]
	facts.Sources = map[int]policy.Source{}
	volumes := map[int]string{}
	for i, m := range spec.Mounts {
		if policy.IsBind(m) {
			facts.Sources[i], volumes[i] = policy.Source{Kind: policy.KindDir}, m.Source
		}
	}
	d, err := policy.Check(cfg, facts, spec)
	if err != nil {
		t.Fatalf("the rewritten spec is refused: %v\n%s", err, first)
	}
	g.Volumes = volumes
	if err := policy.Rewrite(spec, d, policy.Place(spec.Mounts, nil), g, facts); err != nil {
		t.Fatal(err)
	}
	if second := marshal(t, spec); second != first {
		t.Errorf("rewriting twice is not rewriting once (-once +twice):\n%s", cmp.Diff(first, second))
	}
}

func refusal(t *testing.T, err error) {
	var v *policy.Violation
	switch {
	case !errors.As(err, &v):
		t.Fatalf("the refusal is a %T", err)
	case !slices.Contains(policy.Rules(), v.Rule) || v.Field == "" || v.Reason == "":
		t.Fatalf("the refusal is not complete: %#v", v)
	case !errors.Is(err, policy.ErrMalformed) && !errors.Is(err, policy.ErrDenied) && !errors.Is(err, policy.ErrUnsupported):
		t.Fatalf("the refusal has no class: %v", err)
	case strings.ContainsAny(err.Error(), "\n\r\x00"):
		t.Fatalf("the refusal is not one line: %q", err)
	}
}

func marshal(t *testing.T, spec *specs.Spec) string {
	t.Helper()
	out, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func someFacts(rng *rand.Rand, spec *specs.Spec) policy.Facts {
	facts := policy.Facts{
		TimeNamespace: true,
		Boottime:      time.Duration(rng.Int64N(1 << 50)),
		Monotonic:     time.Duration(rng.Int64N(1 << 50)),
		Sources:       map[int]policy.Source{},
		Devices: []policy.Node{
			{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, Mode: 0o666},
			{Path: "/dev/kvm", Type: "c", Major: 10, Minor: 232, Mode: 0o660, GID: 100107},
			{Path: "/dev/loop7", Type: "b", Major: 7, Minor: 7, Mode: 0o660},
		},
	}
	nodes := slices.Concat(facts.Devices, []policy.Node{
		{Type: "c", Major: 1, Minor: 3, Mode: 0o666},
		{Type: "b", Major: 8, Minor: 0, Mode: 0o660},
	})
	for i, m := range spec.Mounts {
		if !policy.IsBind(m) {
			continue
		}
		facts.Sources[i] = policy.Source{Kind: policy.KindDir}
		if rng.IntN(4) == 0 {
			facts.Sources[i] = policy.Source{Kind: policy.KindDevice, Node: nodes[rng.IntN(len(nodes))]}
		}
	}
	return facts
}
