package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/policy"
)

// explanation is the outcome of eci explain.
type explanation struct {
	Verdict policy.Verdict `json:"verdict"`

	// Error is what the client would get; empty if the container would start.
	Error string `json:"error,omitempty"`

	Steps []explainedRule `json:"rules"`

	// Image is what is known about the image, as far as an engine's socket depends
	// on it.
	Image policy.Image `json:"image"`

	// Spec is what runc would get.
	Spec *specs.Spec `json:"spec,omitempty"`

	before *specs.Spec
}

// explainedRule is what one rule says.
type explainedRule struct {
	Rule     string         `json:"rule"`
	Mode     policy.Mode    `json:"mode"`
	Fixed    string         `json:"fixed,omitempty"` // why the mode cannot be set
	Verdict  policy.Verdict `json:"verdict,omitempty"`
	Field    string         `json:"field,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	findings []policy.Finding
}

func newExplainCommand(a *app) *cobra.Command {
	var image string
	var all bool
	cmd := &cobra.Command{
		Use:   "explain config.json|CONTAINER",
		Short: "say which rules let a container pass, and what becomes of its spec",
		Long: `explain holds an OCI spec against the policy, rule by rule in the order in which the
runtime asks them, on this host as it is now. A rule after one that refuses is not
asked. Then it prints how the spec would be changed for runc, with an example of a range
of host IDs.

The argument is a file with an OCI spec, "-" for standard input, or the id of a container
that containerd knows, or the beginning of one; whether it runs does not matter. It
starts nothing, and claims nothing.

It does not look whether something runs in the container's cgroup already.

The exit status is 0 if the container would start, and 1 if it would be refused.`,
		Example: `  eci explain config.json
  eci explain --image docker.io/library/docker:cli config.json
  eci explain --namespace k8s.io 3f2a
  ctr run --runtime io.containerd.eci.v2 … || eci explain web-1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := a.ink()
			if err != nil {
				return err
			}
			e, err := a.explain(cmd.Context(), cmd.InOrStdin(), args[0], image)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(e)
			} else {
				showExplanation(i, e, all)
			}
			if err == nil && e.Verdict == policy.Denied {
				return no
			}
			return err
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "name of the image, as containerd has it, that the container would be made from")
	cmd.Flags().BoolVar(&all, "spec", false, "print the whole spec that runc would get, not the difference")
	return cmd
}

func (a *app) explain(ctx context.Context, in io.Reader, arg, image string) (*explanation, error) {
	s, err := a.subject(ctx, in, arg)
	if err != nil {
		return nil, err
	}
	cfg, err := a.source().Load()
	if err == nil {
		cfg, err = a.source().Choose(cfg, s.chosen)
	}
	if err != nil {
		return nil, err
	}
	o, err := a.observe(ctx, cfg, s, image)
	if err != nil {
		return nil, err
	}
	defer o.close()
	steps, decision := policy.Explain(o.cfg, o.facts, s.spec)
	e := &explanation{Verdict: policy.Allowed, Image: o.facts.Image, before: s.spec}
	for _, step := range steps {
		r := explainedRule{Rule: step.Rule, Mode: step.Mode, Fixed: step.Fixed, Verdict: step.Verdict, findings: step.Findings}
		if v := step.Violation; v != nil {
			r.Field, r.Reason = v.Field, v.Reason
			e.Verdict, e.Error = policy.Denied, v.Error()
		} else if len(step.Findings) > 0 {
			r.Field, r.Reason = step.Findings[0].Field, step.Findings[0].Reason
		}
		e.Steps = append(e.Steps, r)
	}
	if decision != nil {
		if e.Spec, err = preview(o, s, *decision); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// ruleMarks are how verdicts of rules look.
var ruleMarks = map[policy.Verdict]cell{
	policy.Allowed: {"pass", green}, policy.Granted: {"granted", blue},
	policy.Warned: {"warning", yellow}, policy.Denied: {"REFUSED", red}, "": {"not asked", faint},
}

func showExplanation(i ink, e *explanation, whole bool) {
	var rows [][]cell
	for _, r := range e.Steps {
		mark := ruleMarks[r.Verdict]
		note := cell{"", mark.style}
		if r.Verdict == "" && r.Mode == policy.Off {
			mark, note.text = cell{"off", yellow}, "the configuration has turned it off"
		}
		if r.Verdict == policy.Denied {
			note.text = printable(r.Reason) + " (field " + printable(r.Field) + ")"
		}
		var reasons []string
		for _, f := range r.findings {
			reasons = append(reasons, printable(f.Reason)+" (field "+printable(f.Field)+")")
		}
		if len(reasons) > 0 {
			note.text = strings.Join(reasons, "; ")
		}
		rows = append(rows, []cell{plain(r.Rule), mark, note})
	}
	i.table(rows)
	i.printf("\n")
	if e.Verdict == policy.Denied {
		i.para(0, "", red, "The container would be refused: "+printable(e.Error))
		return
	}
	i.printf("%s\n\n", i.paint(green, "The container would start."))
	if whole {
		i.printf("%s\n", strings.Join(jsonLines(e.Spec), "\n"))
		return
	}
	showDiff(i, jsonLines(e.before), jsonLines(e.Spec))
}

// jsonLines is a spec as lines of JSON.
func jsonLines(s *specs.Spec) []string {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return []string{fmt.Sprint(err)}
	}
	return strings.Split(string(text), "\n")
}
