package eci_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The budgets of a file, in lines. A file that outgrows its own does two things.
const (
	maxLines       = 400
	maxLinesMedian = 150
	maxLinesTest   = 600
)

// TestSize holds files to their budgets.
func TestSize(t *testing.T) {
	var lines []int
	for _, s := range sources(t) {
		limit := maxLines
		if s.test {
			limit = maxLinesTest
		}
		if s.lines > limit {
			t.Errorf("%s has %d lines, at most %d", s.path, s.lines, limit)
		}
		if s.product() {
			lines = append(lines, s.lines)
		}
	}
	if len(lines) == 0 {
		t.Fatal("no sources")
	}
	slices.Sort(lines)
	median := lines[len(lines)/2]
	t.Logf("%d files, median %d lines, longest %d", len(lines), median, lines[len(lines)-1])
	if median > maxLinesMedian {
		t.Errorf("half of the files have more than %d lines, at most %d", median, maxLinesMedian)
	}
}

// TestPackageComments asks every package for a doc.go that says what it is for.
func TestPackageComments(t *testing.T) {
	comment := map[string]string{}
	name := map[string]string{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		name[s.dir] = s.file.Name.Name
		if base := path.Base(s.path); base == "doc.go" || base == "main.go" && s.file.Name.Name == "main" {
			comment[s.dir] += s.file.Doc.Text()
		}
	}
	for dir, pkg := range name {
		want := "Package " + pkg + " "
		if pkg == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		if !strings.HasPrefix(comment[dir], want) {
			t.Errorf("%s: doc.go must begin with a comment %q…", dir, want)
		}
	}
}

// TestExportedNames asks every exported name of the product for a sentence. A
// group of constants or variables may share one.
func TestExportedNames(t *testing.T) {
	for _, s := range sources(t) {
		if !s.product() || s.file.Name.Name == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			for _, name := range s.undocumented(decl) {
				t.Errorf("%s: %s is exported and has no comment", s.at(name), name.Name)
			}
		}
	}
}

// undocumented lists the exported names of a declaration that nothing explains.
func (s source) undocumented(decl ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	add := func(documented bool, ids ...*ast.Ident) {
		for _, id := range ids {
			if id.IsExported() && !documented {
				names = append(names, id)
			}
		}
	}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		add(d.Doc != nil || !exportedReceiver(d), d.Name)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch sp := spec.(type) {
			case *ast.TypeSpec:
				add(d.Doc != nil && !d.Lparen.IsValid() || sp.Doc != nil, sp.Name)
				if sp.Name.IsExported() {
					names = append(names, s.undocumentedFields(sp.Type)...)
				}
			case *ast.ValueSpec:
				add(d.Doc != nil || sp.Doc != nil || sp.Comment != nil, sp.Names...)
			}
		}
	}
	return names
}

// exportedReceiver tells whether a function is one that users of the package see.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	seen := true
	ast.Inspect(f.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			seen = id.IsExported()
			return false
		}
		return true
	})
	return seen
}

// undocumentedFields lists the exported fields of a struct, or methods of an
// interface, that neither a comment of their own nor the one above their group
// explains. A group ends with an empty line.
func (s source) undocumentedFields(expr ast.Expr) []*ast.Ident {
	var list *ast.FieldList
	switch e := expr.(type) {
	case *ast.StructType:
		list = e.Fields
	case *ast.InterfaceType:
		list = e.Methods
	default:
		return nil
	}
	line := func(p token.Pos) int { return s.fset.Position(p).Line }
	var names []*ast.Ident
	last, explained := 0, false // where the field before ends, and whether its group is explained
	for _, f := range list.List {
		explained = f.Doc != nil || explained && line(f.Pos()) == last+1
		for _, id := range f.Names {
			if id.IsExported() && !explained && f.Comment == nil {
				names = append(names, id)
			}
		}
		last = line(f.End())
	}
	return names
}

// vagueNames say nothing about what is in a file.
var vagueNames = regexp.MustCompile(`^(utils?|helpers?|common|misc|impl|types|consts?)(_.*)?\.go$`)

// TestFileNames refuses names behind which anything may hide.
func TestFileNames(t *testing.T) {
	for _, s := range sources(t) {
		if vagueNames.MatchString(path.Base(s.path)) {
			t.Errorf("%s: name the file after the one thing that is in it", s.path)
		}
	}
}

// TestSkips asks every skipped test for the reason.
func TestSkips(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && (sel.Sel.Name == "SkipNow" || sel.Sel.Name == "Skip" && len(call.Args) == 0) {
				t.Errorf("%s: a test is skipped without a reason", s.at(call))
			}
			return true
		})
	}
}

// words must not stand in any file. Each is written here so that this file does
// not have it.
var words = []struct {
	pattern *regexp.Regexp
	only    string // extension of the files that are looked at; "": all
	why     string
}{
	{regexp.MustCompile(`/wor[k]/(main|shared|\.)`), "", "a path of somebody's machine"},
	{regexp.MustCompile(`/tm[p]/plan\b`), "", "a path of somebody's machine"},
	{regexp.MustCompile(`(^|[\s"'=])/home/[a-z]+/[a-z]+/`), "", "a path of somebody's machine"},
	{regexp.MustCompile(`\b(proxy|sum)\.golan[g]\.org\b`), "", "a registry's host: it is the reader's choice"},
	{regexp.MustCompile(`\bregistry\.npmj[s]\.org\b`), "", "a registry's host: it is the reader's choice"},
	{regexp.MustCompile(`\b(deb|security)\.debia[n]\.org\b`), "", "a registry's host: it is the reader's choice"},
	{regexp.MustCompile(`\b(TOD[O]|FIXM[E]|XX[X])\b`), "", "do it, or say in the docs what is not done"},
	{regexp.MustCompile(`//go:linknam[e]`), ".go", "what a package hides may change without a word"},
	{regexp.MustCompile(`<<<<<<[<] |>>>>>>[>] `), "", "a merge that was not finished"},
}

// TestWords looks for them in every text file.
func TestWords(t *testing.T) {
	err := eachFile(func(name string) error {
		data, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil || !utf8.Valid(data) {
			return err
		}
		for i, line := range strings.Split(string(data), "\n") {
			for _, w := range words {
				if (w.only == "" || w.only == path.Ext(name)) && w.pattern.MatchString(line) {
					t.Errorf("%s:%d: %q: %s", name, i+1, w.pattern.FindString(line), w.why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
