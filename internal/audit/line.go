package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/eci-runtime/eci/policy"
)

// Line is one line of the log.
type Line struct {
	// Time is when it was decided, in UTC.
	Time time.Time `json:"time"`

	Subject

	// Verdict is what became of the wish.
	Verdict policy.Verdict `json:"verdict"`

	// Rule is the rule that it is about, a heading of docs/policy.md. Empty in the
	// line that says that all rules were content.
	Rule string `json:"rule,omitempty"`

	// Field is where in the spec.
	Field string `json:"field,omitempty"`

	// Reason is the sentence that the client got, or what was granted.
	Reason string `json:"reason,omitempty"`

	// Modes are the rules that were not enforced, where a container was allowed.
	Modes map[string]policy.Mode `json:"modes,omitempty"`
}

// Subject is whom a decision is about.
type Subject struct {
	// Namespace is containerd's.
	Namespace string `json:"namespace"`

	// Container is its id.
	Container string `json:"container"`

	// Action is what was asked for.
	Action Action `json:"action"`

	// Exec is the id of the process, where Action is Exec.
	Exec string `json:"exec,omitempty"`

	// Image is what the image is called, and ImageBy who says so.
	Image   string  `json:"image,omitempty"`
	ImageBy Witness `json:"imageBy,omitempty"`

	// Trace is the id of OpenTelemetry's trace that the request is part of, 32
	// hexadecimal digits; empty where containerd does not trace.
	Trace string `json:"trace,omitempty"`
}

// Action is what a client asked for.
type Action string

// The actions that are decided about.
const (
	Create Action = "create"
	Exec   Action = "exec"
	Update Action = "update"

	// Command is what a container asks of an engine, through a broker. Only the first
	// refusal of each command is written.
	Command Action = "command"
)

// Witness is who says something that is not proven.
type Witness string

const (
	// Client is whoever has made the container; its annotations can say anything.
	Client Witness = "client"

	// Engine is the record of the container's engine.
	Engine Witness = "engine"
)

// Denial is the line of a refusal. The error is a policy.Violation, or something
// that refuses beside the rules, which then is the rule.
func Denial(s Subject, rule string, err error) Line {
	l := Line{Subject: s, Verdict: policy.Denied, Rule: rule, Reason: err.Error()}
	var v *policy.Violation
	if errors.As(err, &v) {
		l.Rule, l.Field, l.Reason = v.Rule, v.Field, v.Reason
	}
	return l
}

// Permission are the lines of a container that may start: one for itself, and one
// for everything that was let pass although a rule was against it.
func Permission(s Subject, cfg policy.Config, d policy.Decision) []Line {
	whole := Line{Subject: s, Verdict: policy.Allowed}
	for rule, mode := range cfg.Rules {
		if mode == policy.Enforce {
			continue
		}
		if whole.Modes == nil {
			whole.Modes = map[string]policy.Mode{}
		}
		whole.Modes[rule] = mode
	}
	return append([]Line{whole}, Findings(s, d.Findings)...)
}

// Findings are the lines of what was let pass.
func Findings(s Subject, findings []policy.Finding) []Line {
	lines := make([]Line, len(findings))
	for i, f := range findings {
		lines[i] = Line{Subject: s, Verdict: f.Verdict, Rule: f.Rule, Field: f.Field, Reason: f.Reason}
	}
	return lines
}

// How much of what a client wrote is kept.
const (
	maxReason = 4096
	maxName   = 512
)

// encode appends a line. What is longer than it may be is cut.
func encode(b *bytes.Buffer, l Line) error {
	l.Reason, l.Field = cut(l.Reason, maxReason), cut(l.Field, maxName)
	l.Image, l.Exec = cut(l.Image, maxName), cut(l.Exec, maxName)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(l)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Decode reads a line. One that begins within another, of which a full disk kept the
// beginning only, is found.
func Decode(text []byte) (Line, error) {
	l, ok := decode(text)
	if i := bytes.LastIndex(text, []byte(`{"time":"`)); !ok && i > 0 {
		l, ok = decode(text[i:])
	}
	if !ok {
		return Line{}, fmt.Errorf("read a line of the log: %q is none", cut(strings.TrimSpace(string(text)), maxName))
	}
	return l, nil
}

func decode(text []byte) (l Line, ok bool) {
	err := json.Unmarshal(text, &l)
	return l, err == nil && l.Verdict != "" && !l.Time.IsZero()
}
