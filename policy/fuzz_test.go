package policy_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// FuzzCheckRewrite asserts what has to hold whatever the spec is: a refusal is one line
// and has a rule; what is let through isolates. The seed picks policy and facts, and what
// is changed in the spec on top of the bytes. Inputs are long, so it gets further without
// making them shorter: -fuzzminimizetime 1x. What needs no coverage to guide it runs
// faster in [TestDecisions].
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
		decide(t, spec, seed)
	})
}

// decide takes a spec the whole way, under a policy and on a host that the seed picks,
// and gives the rule that refuses it. With the seed 0 all is as usual.
func decide(t testing.TB, spec *specs.Spec, seed uint64) (rule string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &passage{seed: seed, loose: defaults, spec: spec}
	if seed != 0 {
		disturb(rng, spec)
		p.loose, spec.Annotations = someConfig(rng), someAnnotations(rng)
	}
	thorough := seed%64 == 0
	before := *spec
	var text string
	if thorough {
		text = marshal(t, spec)
	}
	var err error
	if p.cfg, err = policy.Tighten(p.loose, spec.Annotations); err != nil {
		return refusal(t, err)
	}
	p.facts = someFacts(rng, p.cfg, spec)
	p.decision, err = policy.Check(p.cfg, p.facts, spec)
	if thorough && marshal(t, spec) != text {
		t.Fatalf("Check changed the spec: %s", cmp.Diff(text, marshal(t, spec)))
	}
	if err != nil {
		return refusal(t, err)
	}
	p.annotationsTighten(t)

	p.placements = policy.Place(p.decision, spec.Mounts, nil)
	p.grant = grantFor(p.cfg, p.decision, p.placements)
	after := clone(spec)
	if err := policy.Rewrite(after, p.decision, p.placements, p.grant, p.facts); err != nil {
		t.Fatal(err)
	}
	p.spec, p.after = &before, after
	for _, i := range invariants {
		if broken := i.check(p); broken != "" {
			t.Errorf("%s: %s\nseed %d, from %s", i.name, broken, seed, marshal(t, &before))
		}
	}
	if thorough && p.decision.UserNS == 0 && len(p.decision.Joins) == 0 && len(p.decision.Host) == 0 {
		p.again(t)
	}
	return ""
}

// passage is what a spec meets on its way to runc.
type passage struct {
	seed       uint64
	loose, cfg policy.Config // without and with what annotations say
	facts      policy.Facts
	spec       *specs.Spec // the client's
	decision   policy.Decision
	placements []policy.Placement
	grant      policy.Grant
	after      *specs.Spec // runc's
}

// again decides and rewrites what came out, which must change nothing more.
func (p *passage) again(t testing.TB) {
	first := marshal(t, p.after)
	spec, cfg, facts, g := clone(p.after), p.cfg, p.facts, p.grant
	spec.Mounts = spec.Mounts[1:]
	spec.Annotations = nil
	spec.Linux.Seccomp = p.spec.Linux.Seccomp // that of runc has a listener
	cfg.Rules = maps.Clone(cfg.Rules)
	if cfg.Rules == nil {
		cfg.Rules = map[string]policy.Mode{}
	}
	cfg.Rules["restricted-mount"] = policy.Off // where they are staged is restricted
	facts.Sources, g.Volumes = map[int]policy.Source{}, map[int]string{}
	for i, m := range spec.Mounts {
		if policy.IsBind(m) {
			facts.Sources[i], g.Volumes[i] = source(policy.KindDir, m.Source), m.Source
		}
	}
	d, err := policy.Check(cfg, facts, spec)
	if err != nil {
		t.Fatalf("the rewritten spec is refused: %v\n%s", err, first)
	}
	if err := policy.Rewrite(spec, d, policy.Place(d, spec.Mounts, nil), g, facts); err != nil {
		t.Fatal(err)
	}
	spec.Annotations = p.after.Annotations
	if second := marshal(t, spec); second != first {
		t.Errorf("rewriting twice is not rewriting once (-once +twice):\n%s", cmp.Diff(first, second))
	}
}

// annotationsTighten asserts that what passed with annotations passes without them, and
// gets no less.
func (p *passage) annotationsTighten(t testing.TB) {
	if len(p.spec.Annotations) == 0 {
		return
	}
	twice, err := policy.Tighten(p.cfg, p.spec.Annotations)
	if err != nil || !reflect.DeepEqual(twice, p.cfg) {
		t.Errorf("tightening twice is not tightening once: %v %s (seed %d)", err, cmp.Diff(p.cfg, twice), p.seed)
	}
	loose := *p.spec
	loose.Annotations = maps.Clone(p.spec.Annotations)
	maps.DeleteFunc(loose.Annotations, func(key, _ string) bool { return strings.HasPrefix(key, "eci.containerd.io/") })
	facts := p.facts
	if len(p.loose.Devices.Allow) > 0 {
		facts.Devices = hostDevices
	}
	d, err := policy.Check(p.loose, facts, &loose)
	if err != nil && p.spec.Annotations["eci.containerd.io/devices"] != "" && strings.Contains(err.Error(), "(rule device-path, ") {
		return // a privileged container gets none of the devices: one that had no place, either
	}
	if err != nil {
		t.Errorf("the annotations %v let pass what is refused without them: %v (seed %d)", p.spec.Annotations, err, p.seed)
		return
	}
	if more := gives(p.decision, d); more != "" {
		t.Errorf("the annotations %v give %s (seed %d)", p.spec.Annotations, more, p.seed)
	}
}

// gives says what one decision gives that another does not.
func gives(d, other policy.Decision) string {
	for _, dev := range d.Devices {
		// A standard one may stand where else one would that is not given now.
		if !listed(policy.Facts{}, dev.Type, dev.Major, dev.Minor) && !slices.Contains(other.Devices, dev) {
			return "a device"
		}
	}
	for i, masks := range other.Masks {
		for _, m := range masks {
			if !slices.Contains(d.Masks[i], m) && !slices.Contains(d.Absent[i], m) {
				return "what is masked"
			}
		}
	}
	for i, absent := range other.Absent {
		for _, m := range absent {
			if !slices.Contains(d.Absent[i], m) {
				return "what has to be absent"
			}
		}
	}
	for i := range other.Private {
		if !d.Private[i] {
			return "the host's mounts"
		}
	}
	for i, s := range d.Sockets {
		if o, ok := other.Sockets[i]; ok && o.Broker && !s.Broker {
			return "a socket without its broker"
		}
	}
	if len(d.Rules) > len(other.Rules) || len(d.Nodes) > len(other.Nodes) {
		return "access to a device"
	}
	for _, n := range d.Mknod {
		if !slices.Contains(other.Mknod, n) {
			return "a node"
		}
	}
	if len(other.Refuses) > len(d.Refuses) {
		return "a system call"
	}
	if !slices.Equal(d.Joins, other.Joins) || !slices.Equal(d.Host, other.Host) || d.Size != other.Size {
		return "a namespace"
	}
	return ""
}

func refusal(t testing.TB, err error) string {
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
	return v.Rule
}

func marshal(t testing.TB, spec *specs.Spec) string {
	t.Helper()
	out, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
