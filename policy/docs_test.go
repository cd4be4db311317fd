package policy_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eci-runtime/eci/policy"
)

func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	name := "../docs/config.example.toml"
	cfg, err := policy.Parse(name, read(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(policy.Default(), cfg); diff != "" {
		t.Errorf("-default +example:\n%s", diff)
	}
	for _, key := range []string{"state_dir", "runc", "base", "size", "end", "allow"} {
		if !strings.Contains(string(read(t, name)), "\n"+key+" = ") {
			t.Errorf("the example does not spell out %s", key)
		}
	}
}

// TestRulesAreHeadings: whoever reads a refusal finds its rule in
// docs/policy.md, in the order in which rules are looked at.
func TestRulesAreHeadings(t *testing.T) {
	t.Parallel()
	var headings []string
	for line := range strings.Lines(string(read(t, "../docs/policy.md"))) {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			headings = append(headings, strings.TrimSpace(name))
		}
	}
	if diff := cmp.Diff(policy.Rules(), headings); diff != "" {
		t.Errorf("-rules +headings of docs/policy.md:\n%s", diff)
	}
}

// TestMessagesAreReal: what docs/policy.md shows is what comes out, and every
// rule shows something.
func TestMessagesAreReal(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*/want.err")
	if err != nil {
		t.Fatal(err)
	}
	var real []string
	for _, f := range files {
		real = append(real, strings.TrimSpace(string(read(t, f))))
	}
	rule, shown := "", map[string]bool{}
	for line := range strings.Lines(string(read(t, "../docs/policy.md"))) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "### "); ok {
			rule = name
		}
		if !strings.HasPrefix(line, "error in the container spec: ") && !strings.HasPrefix(line, "invalid configuration: ") {
			continue
		}
		if !slices.Contains(real, line) {
			t.Errorf("docs/policy.md shows what no case gives: %s", line)
		}
		if strings.Contains(line, "(rule "+rule+", ") {
			shown[rule] = true
		}
	}
	for _, name := range policy.Rules() {
		if !shown[name] {
			t.Errorf("docs/policy.md shows no message of the rule %s", name)
		}
	}
}
