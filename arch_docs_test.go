package eci_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// markdown lists the Markdown files of the checkout.
func markdown(t *testing.T) []string {
	t.Helper()
	var names []string
	err := eachFile(func(name string) error {
		if path.Ext(name) == ".md" {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func exists(name string) bool {
	_, err := os.Stat(filepath.FromSlash(name))
	return err == nil
}

// prose is a Markdown text without its blocks of code, and code is what stands in
// those blocks.
func prose(doc string) (text, code []string) {
	fenced := false
	for line := range strings.Lines(doc) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced:
			code = append(code, line)
		default:
			text = append(text, line)
		}
	}
	return text, code
}

// anchors are the fragments by which the headings of a Markdown text are linked:
// lower case, letters, digits, - and _ kept, spaces become dashes.
func anchors(doc string) []string {
	var found []string
	lines, _ := prose(doc)
	for _, line := range lines {
		title := strings.TrimLeft(line, "#")
		if title == line || !strings.HasPrefix(title, " ") {
			continue
		}
		found = append(found, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(title)))
	}
	return found
}

var (
	link        = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	docsMention = regexp.MustCompile(`\bdocs/[A-Za-z0-9_./-]+\.(?:md|toml)\b`)
)

// TestLinks follows every link between files of the project, with its fragment,
// and every mention of a document in Markdown and in comments of Go.
func TestLinks(t *testing.T) {
	for _, name := range markdown(t) {
		doc := text(t, name)
		lines, _ := prose(doc)
		for _, m := range link.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") { // a URL
				continue
			}
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if !exists(file) {
				t.Errorf("%s links %s, which does not exist", name, m[1])
			} else if fragment != "" && path.Ext(file) == ".md" && !slices.Contains(anchors(text(t, file)), fragment) {
				t.Errorf("%s links %s, which is no heading there", name, m[1])
			}
		}
		for _, mention := range docsMention.FindAllString(doc, -1) {
			if !exists(mention) {
				t.Errorf("%s names %s, which does not exist", name, mention)
			}
		}
	}
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, mention := range docsMention.FindAllString(group.Text(), -1) {
				if !exists(mention) {
					t.Errorf("%s names %s, which does not exist", s.at(group), mention)
				}
			}
		}
	}
}

var decisionFile = regexp.MustCompile(`^\d{4}-[a-z0-9-]+\.md$`)

// TestDecisions asks docs/architecture.md to list every decision record.
func TestDecisions(t *testing.T) {
	files, err := filepath.Glob("docs/adr/*")
	if err != nil {
		t.Fatal(err)
	}
	architecture := text(t, "docs/architecture.md")
	numbers := map[string]string{}
	for _, f := range files {
		base := filepath.Base(f)
		if !decisionFile.MatchString(base) {
			t.Errorf("%s: a record is named NNNN-some-words.md", f)
			continue
		}
		if other := numbers[base[:4]]; other != "" {
			t.Errorf("%s and %s have one number", base, other)
		}
		numbers[base[:4]] = base
		if !strings.Contains(architecture, "adr/"+base) {
			t.Errorf("docs/architecture.md does not list %s", f)
		}
	}
}

var (
	promiseRow  = regexp.MustCompile(`^\|\s*\**(P\d\d)\**\s*\|`)
	promiseTest = regexp.MustCompile(`^Test(P\d\d)_`)
)

// TestPromises compares docs/threat-model.md with the tests. A row of a table that
// begins with the number of a promise claims that it is kept, unless the row says
// "not yet"; then integration/ must have a test of that number. A promise that has
// a test must have a row, and the row may not say "not yet".
func TestPromises(t *testing.T) {
	tested := map[string]string{}
	for _, s := range sources(t) {
		if !s.test || !within(s.dir, "integration") {
			continue
		}
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				if m := promiseTest.FindStringSubmatch(f.Name.Name); m != nil {
					tested[m[1]] = s.at(f)
				}
			}
		}
	}
	claims := map[string]bool{}
	for line := range strings.Lines(text(t, "docs/threat-model.md")) {
		if m := promiseRow.FindStringSubmatch(line); m != nil {
			kept := !strings.Contains(strings.ToLower(line), "not yet")
			claims[m[1]] = claims[m[1]] || kept
		}
	}
	for promise, kept := range claims {
		if kept && tested[promise] == "" {
			t.Errorf("docs/threat-model.md claims that %s is kept, and no Test%s_… in integration/ shows it", promise, promise)
		}
		if !kept && tested[promise] != "" {
			t.Errorf("docs/threat-model.md says that %s is not kept yet, and %s tests it", promise, tested[promise])
		}
	}
	for promise, where := range tested {
		if _, ok := claims[promise]; !ok {
			t.Errorf("%s tests %s, which has no row in docs/threat-model.md", where, promise)
		}
	}
}

var namedTest = regexp.MustCompile("`(Test[A-Za-z0-9_]*[A-Za-z0-9])`")

// TestNamedTests wants every test that the threat model names.
func TestNamedTests(t *testing.T) {
	tests := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test || !within(s.dir, "integration") {
			continue
		}
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[f.Name.Name] = true
			}
		}
	}
	for _, m := range namedTest.FindAllStringSubmatch(text(t, "docs/threat-model.md"), -1) {
		if !tests[m[1]] {
			t.Errorf("docs/threat-model.md names %s, which is no test of integration/", m[1])
		}
	}
}

// TestRules compares the rules of package policy with the headings of
// docs/policy.md: a message names the rule, and the reader looks there for it.
func TestRules(t *testing.T) {
	headings := anchors(text(t, "docs/policy.md"))
	for _, s := range sources(t) {
		if s.dir != "policy" || s.test {
			continue
		}
		for _, name := range ruleNames(s.file) {
			if !slices.Contains(headings, name) {
				t.Errorf("%s has the rule %q, which is no heading of docs/policy.md", s.path, name)
			}
		}
	}
}

// ruleNames are the first strings of the elements of the table "rules".
func ruleNames(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.VAR {
			continue
		}
		for _, spec := range d.Specs {
			v := spec.(*ast.ValueSpec)
			if v.Names[0].Name != "rules" || len(v.Values) == 0 {
				continue
			}
			for _, element := range v.Values[0].(*ast.CompositeLit).Elts {
				ast.Inspect(element, func(n ast.Node) bool {
					literal, ok := n.(*ast.BasicLit)
					if ok && literal.Kind == token.STRING {
						if name, err := strconv.Unquote(literal.Value); err == nil {
							names = append(names, name)
						}
					}
					return !ok
				})
			}
		}
	}
	return names
}

var (
	makeTarget  = regexp.MustCompile(`(?m)^([a-z][a-z-]*):(?:[^=]|$)`)
	makeHelp    = regexp.MustCompile(`(?m)^([a-z][a-z-]*):.*## `)
	makeSpan    = regexp.MustCompile("`(?:sudo )?make ([^`]*)`")
	makeCommand = regexp.MustCompile(`^\s*(?:[$#] )?(?:sudo )?make ([^#;&|]*)`)
	makeWord    = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// listedTargets are those that every contributor may rely on.
var listedTargets = strings.Fields("build demo test check fuzz bench install uninstall clean tools")

// TestMakeTargets asks the Makefile for every target that a document tells the
// reader to make, and `make help` for those that are always there.
func TestMakeTargets(t *testing.T) {
	makefile := text(t, "Makefile")
	have := submatches(makeTarget, makefile)
	for _, target := range listedTargets {
		if !slices.Contains(submatches(makeHelp, makefile), target) {
			t.Errorf("make help does not list %s", target)
		}
	}
	for _, name := range markdown(t) {
		doc, code := prose(text(t, name))
		calls := submatches(makeSpan, strings.Join(doc, "\n"))
		for _, line := range code {
			calls = append(calls, submatches(makeCommand, line)...)
		}
		for _, word := range strings.Fields(strings.Join(calls, " ")) {
			if makeWord.MatchString(word) && !slices.Contains(have, word) {
				t.Errorf("%s names `make %s`, which the Makefile does not have", name, word)
			}
		}
	}
}

// submatches are the first groups of all matches.
func submatches(pattern *regexp.Regexp, s string) []string {
	var all []string
	for _, m := range pattern.FindAllStringSubmatch(s, -1) {
		all = append(all, m[1])
	}
	return all
}
