package policy_test

import (
	"path/filepath"
	"slices"
	"strconv"
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
	// What is built in adds to what is written, so that would hide what is missing.
	for _, p := range policy.Default().Places() {
		if !strings.Contains(string(read(t, name)), `"`+p+`",`) {
			t.Errorf("the example does not spell out %s", p)
		}
	}
	for _, key := range policy.Keys() {
		if setting, ok := strings.CutPrefix(key, "sysctl.ceilings."); ok {
			key = strconv.Quote(setting)
		} else {
			key = key[strings.LastIndexByte(key, '.')+1:]
		}
		if text := string(read(t, name)); !strings.Contains(text, "\n"+key+" = ") && !strings.Contains(text, "\n# "+key+" = ") {
			t.Errorf("the example does not spell out %s", key)
		}
	}
}

// TestKeysAreListed: docs/policy.md says of every key what it means.
func TestKeysAreListed(t *testing.T) {
	t.Parallel()
	doc := string(read(t, "../docs/policy.md"))
	for _, key := range policy.Keys() {
		if !strings.Contains(doc, "\n| `"+key+"` | ") {
			t.Errorf("docs/policy.md does not list %s", key)
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

// TestTablesAreComplete: the tables of docs/policy.md have what the code has: the keys of
// the configuration, the annotations, and the rules with a mode.
func TestTablesAreComplete(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what, heading string
		want          []string
	}{
		{"keys", "Configuration", append(policy.Keys(), "rules.NAME")},
		{"rules with a mode", "Modes", policy.Switchable()},
		{"annotations", "Annotations", policy.Annotations()},
		{"system calls", "System calls", append(policy.Intercepted(), "syslog")},
	} {
		got := firstColumn(string(read(t, "../docs/policy.md")), tt.heading)
		slices.Sort(got)
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("-%s +table below %q:\n%s", tt.what, tt.heading, diff)
		}
	}
}

// firstColumn gives the words in backquotes with which the rows of a section's tables
// begin.
func firstColumn(page, heading string) []string {
	var out []string
	_, section, _ := strings.Cut(page, "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if row, ok := strings.CutPrefix(line, "| `"); ok {
			word, _, _ := strings.Cut(row, "`")
			out = append(out, word)
		}
	}
	return out
}
