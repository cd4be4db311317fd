package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestRender(t *testing.T) {
	kept := report{
		title: "Locks hold", promises: "P98 P99",
		lines:   []string{"ctr run \\\n    image c true", "cat /proc/uptime"},
		verdict: verdict{rows: []row{expect("a row", "0 0 4294967295", "0 100000 65536", true, "")}},
		meaning: "What that means, in a sentence that is somewhat longer than a line of the page can be, and goes on.",
	}
	broken := report{
		title: "Locks break", promises: "P99",
		lines: []string{"ctr run image c true"},
		verdict: verdict{
			columns: []string{"before", "in a column that is named at length", "after"},
			rows: []row{
				{label: "cgroups", cells: []string{"0", "20", "0"}},
				{label: "sockets", cells: []string{"0", "2", "1"}, promise: "0 in the end"},
				{label: "a long cell", cells: []string{"", "ctr: failed to create shim task: OCI runtime create failed: exit status 1", "x"}},
			},
			quote: "ctr: failed to create shim task: error in the container spec: " + strings.Repeat("no no ", 12),
		},
		meaning: "Short.",
	}
	page := renderTitle("6.18.0", "containerd 2.4.2", "runc 1.5.2", false) + render(1, kept, false) + render(2, broken, false)
	var total score
	total.add(kept)
	page += total.summary(9940*time.Millisecond, true, false)
	total.add(broken)
	page += total.summary(time.Minute, false, false)
	golden(t, "page.txt", page)
	golden(t, "page.ansi", render(1, kept, true)+render(2, broken, true)+total.summary(time.Minute, true, true))

	for line := range strings.Lines(page) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
			t.Errorf("%d columns, at most %d: %s", n, width, line)
		}
	}
}

// TestInkIsInvisible takes the colours away again.
func TestInkIsInvisible(t *testing.T) {
	const text = "one\n\ntwo\n"
	got := ink(true).bad(text)
	for _, code := range []string{"\x1b[0m", "\x1b[1;31m"} {
		got = strings.ReplaceAll(got, code, "")
	}
	if got != text {
		t.Errorf("got %q", got)
	}
	if plain := ink(false).bad(text); plain != text {
		t.Errorf("without colour: %q", plain)
	}
}

func TestFill(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "\n",
		"one":                    "one\n",
		"one  two\nthree":        "one two\nthree\n",
		"aaaaaaaaaaaa b":         "aaaaaaaaaaaa\nb\n",
		"ä ä ä ä ä":              "ä ä ä ä\nä\n",
		"12345678 1234567 12345": "12345678\n1234567\n12345\n",
	} {
		if got := fill(text, 8); got != want {
			t.Errorf("fill(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestScripts asks that what is shown fits the page and names what it should.
func TestScripts(t *testing.T) {
	for _, s := range scenes {
		for _, line := range parseScript(s.script, eciRuntime, "/tmp/eci-demo-1234567890") {
			for part := range strings.Lines("$ " + line) {
				if n := len(indent) + utf8.RuneCountInString(strings.TrimSuffix(part, "\n")); n > width {
					t.Errorf("%q: %d columns, at most %d: %s", s.title, n, width, part)
				}
			}
			for _, left := range []string{"{runtime}", "{image}", "{dir}", "{tick}"} {
				if strings.Contains(line, left) {
					t.Errorf("%q: %s is left in: %s", s.title, left, line)
				}
			}
		}
	}
}

func TestParseScript(t *testing.T) {
	got := parseScript("\none {runtime} \\\n    {image} c\nfor c in a; do\n    x\ndone\ncat {dir}/f\n", "rt", "/d")
	want := []string{"one rt \\\n    " + imageName + " c", "for c in a; do\n    x\ndone", "cat /d/f"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
