package policy

import "github.com/opencontainers/runtime-spec/specs-go"

// Step is what one rule says about a spec.
type Step struct {
	// Rule is its name.
	Rule string

	// Mode is how it is applied, and Fixed why that cannot be set; empty: it can.
	Mode  Mode
	Fixed string

	// Verdict is what the rule says: Allowed, Denied, or Warned or Granted where it
	// has let something pass. Empty: it was not asked, because its mode is off, or
	// because a rule before it has refused the spec.
	Verdict Verdict

	// Violation is the refusal; nil for every other verdict.
	Violation *Violation

	// Findings are what it let pass.
	Findings []Finding
}

// Explain is [Check] rule by rule, in their order. The decision is the same, and nil
// instead of an error.
func Explain(cfg Config, facts Facts, spec *specs.Spec) ([]Step, *Decision) {
	r := &request{cfg: cfg, facts: facts, spec: spec, all: rules}
	steps := make([]Step, 0, len(rules))
	d := new(Decision)
	for _, rule := range rules {
		step := Step{Rule: rule.name, Mode: Enforce, Fixed: rule.fixed}
		if rule.fixed == "" {
			step.Mode = r.cfg.mode(rule.name)
		}
		if d != nil && step.Mode != Off {
			before := len(d.Findings)
			step.Violation = r.apply(rule, d)
			step.Findings = d.Findings[before:]
			step.Verdict = step.verdict()
			if step.Violation != nil {
				d = nil
			}
		}
		steps = append(steps, step)
	}
	if d != nil {
		decideState(r, d)
	}
	return steps, d
}

func (s Step) verdict() Verdict {
	if s.Violation != nil {
		return Denied
	}
	verdict := Allowed
	for _, f := range s.Findings {
		if verdict != Warned {
			verdict = f.Verdict
		}
	}
	return verdict
}
