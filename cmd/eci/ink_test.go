package main

import (
	"bytes"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	var b bytes.Buffer
	i := ink{w: &b, width: 30}
	i.table([][]cell{head("NAME", "NOTE"), {plain("zwölf"), plain("some words that take more than one line")}, {plain("a"), plain("")}})
	want := `NAME   NOTE
zwölf  some words that take
       more than one line
a
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	b.Reset()
	i.colour = true
	i.table([][]cell{{{"ok", green}, {"x", red}}})
	if want := "\x1b[32mok\x1b[0m  \x1b[31mx\x1b[0m\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestPrintable(t *testing.T) {
	if got := printable("a\x1b[31m\nb\u009bü\xff"); got != "a·[31m·b·ü·" {
		t.Errorf("got %q", got)
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"  one  ", []string{"one"}},
		{"one two three", []string{"one two", "three"}},
		{"alongerword b", []string{"alongerword", "b"}},
	} {
		if got := wrap(c.text, 8); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

// A difference leads from one text to the other, and is empty for equal ones.
func TestDiff(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	text := func() []string {
		lines := make([]string, random.Intn(30))
		for i := range lines {
			lines[i] = string(rune('a' + random.Intn(4)))
		}
		return lines
	}
	for range 500 {
		a, b := text(), text()
		var before, after []string
		for _, c := range diff(a, b) {
			if c.kind != '+' {
				before = append(before, c.line)
			}
			if c.kind != '-' {
				after = append(after, c.line)
			}
		}
		if !slices.Equal(a, before) || !slices.Equal(b, after) {
			t.Fatalf("%q and %q: %q", a, b, diff(a, b))
		}
		for _, c := range diff(a, a) {
			if c.kind != ' ' {
				t.Fatalf("%q differs from itself: %q", a, diff(a, a))
			}
		}
	}
	var out bytes.Buffer
	showDiff(ink{w: &out, width: 80}, strings.Split("a b c d e f g h", " "), strings.Split("a b c d X f g h", " "))
	if want := "  c\n  d\n- e\n+ X\n  f\n  g\n  …\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
