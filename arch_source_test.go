package eci_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// source is a parsed Go file of the module.
type source struct {
	path, dir string // below the module, with slashes
	test      bool   // a _test.go file
	lines     int
	imports   []string
	fset      *token.FileSet
	file      *ast.File
}

// at tells where in the module a node stands.
func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

var parsed = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := eachFile(func(name string) error {
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
			return nil
		}
		data, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		s := source{path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet()}
		s.lines = strings.Count(string(data), "\n")
		if s.file, err = parser.ParseFile(s.fset, name, data, parser.ParseComments); err != nil {
			return err
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		all = append(all, s)
		return nil
	})
	return all, err
})

// sources parses the module, once. It does not ask the go command: the result of
// a test that runs a program is cached although what the program saw has changed.
func sources(t *testing.T) []source {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// product tells whether a file is part of what users run.
func (s source) product() bool {
	return !s.test && !within(s.dir, "integration") && s.dir != "internal/linux/linuxtest"
}

// eachFile walks the files of the checkout that git would track.
func eachFile(visit func(name string) error) error {
	return filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (name == ".git" || name == "bin") {
			return fs.SkipDir
		}
		if !entry.Type().IsRegular() || name == ".git" {
			return nil
		}
		return visit(filepath.ToSlash(name))
	})
}

// text reads a text file of the checkout. A file that is not there is empty: what
// it must say, the tests that read it ask for.
func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(data)
}
