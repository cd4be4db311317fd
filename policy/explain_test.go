package policy_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// TestExplainIsCheck: what is explained is what would happen, for every case there is.
func TestExplainIsCheck(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*/spec.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range names {
		dir := filepath.Dir(name)
		cfg, err := configOf(t, dir)
		if err != nil {
			continue // a case of a configuration
		}
		facts := seen{Facts: policy.Facts{TimeNamespace: true}}
		if name := filepath.Join(dir, "facts.json"); exists(name) {
			decode(t, read(t, name), &facts)
		}
		spec := new(specs.Spec)
		decode(t, read(t, name), spec)
		want, err := policy.Check(cfg, facts.Facts, spec)
		steps, got := policy.Explain(cfg, facts.Facts, spec)
		var names []string
		for _, s := range steps {
			names = append(names, s.Rule)
		}
		if diff := cmp.Diff(policy.Rules(), names); diff != "" {
			t.Errorf("%s: -rules +steps:\n%s", dir, diff)
		}
		refused := slices.IndexFunc(steps, func(s policy.Step) bool { return s.Verdict == policy.Denied })
		if err != nil {
			var v *policy.Violation
			if !errors.As(err, &v) || refused < 0 || got != nil {
				t.Errorf("%s: %v, explained as step %d, %+v", dir, err, refused, got)
				continue
			}
			if diff := cmp.Diff(v.Error(), steps[refused].Violation.Error()); diff != "" {
				t.Errorf("%s: -check +explain:\n%s", dir, diff)
			}
			for _, s := range steps[refused+1:] {
				if s.Verdict != "" {
					t.Errorf("%s: %s was asked after the refusal", dir, s.Rule)
				}
			}
			continue
		}
		if refused >= 0 || got == nil {
			t.Errorf("%s is allowed, explained as %+v", dir, steps[max(refused, 0)])
			continue
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s: -check +explain:\n%s", dir, diff)
		}
	}
}
