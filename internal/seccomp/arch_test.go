package seccomp

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// numbersOf are all system calls that golang.org/x/sys has for an architecture of Go, by
// their names in lower case. It takes them from the kernel's headers.
func numbersOf(t *testing.T, goarch string) map[string]uint32 {
	t.Helper()
	pkg, err := build.Import("golang.org/x/sys/unix", ".", build.FindOnly)
	if err != nil {
		linuxtest.Missing(t, err.Error())
	}
	name := filepath.Join(pkg.Dir, "zsysnum_linux_"+goarch+".go")
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]uint32{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			nr, err := strconv.ParseUint(lit.Value, 0, 32)
			if err != nil {
				t.Fatal(err)
			}
			numbers[strings.ToLower(strings.TrimPrefix(spec.Names[0].Name, "SYS_"))] = uint32(nr)
		}
		return true
	})
	if len(numbers) < 300 {
		t.Fatalf("%s: %d numbers", name, len(numbers))
	}
	return numbers
}

// TestNumbers: every row of calls has its number in every ABI that has the call.
func TestNumbers(t *testing.T) {
	goarch := map[string]string{"x86_64": "amd64", "x32": "amd64", "i386": "386", "aarch64": "arm64", "arm": "arm"}
	for _, a := range abis {
		known := numbersOf(t, goarch[a.name])
		for _, n := range a.calls {
			if nr, ok := known[n.call]; !ok || nr != n.nr {
				t.Errorf("%s: %s is %d, not %d", a.name, n.call, nr, n.nr)
			}
		}
		for _, c := range calls {
			nr, ok := known[c.name]
			if !ok {
				continue
			}
			name, found, ok := callOf(a.audit, nr|a.bit)
			if !ok || name != c.name || found.name != a.name {
				t.Errorf("%s: %d is %q, not %s", a.name, nr, name, c.name)
			}
		}
	}
}

// TestNumbersOfX32: the numbers that x32 does not share begin at 512.
func TestNumbersOfX32(t *testing.T) {
	for _, n := range x8664 {
		if n.nr >= 512 {
			t.Errorf("%s: %d may be another call in x32", n.call, n.nr)
		}
	}
}

func TestUnknownCalls(t *testing.T) {
	for _, tt := range []struct {
		name      string
		audit, nr uint32
		abi       string
	}{
		{"a call that nobody intercepts", unix.AUDIT_ARCH_X86_64, unix.SYS_GETPID, "x86_64"},
		{"the same of x32", unix.AUDIT_ARCH_X86_64, unix.SYS_GETPID | x32Bit, "x32"},
		{"a number of i386 in x86_64", unix.AUDIT_ARCH_X86_64, 21, "x86_64"},
		{"the bit of x32 elsewhere", unix.AUDIT_ARCH_I386, 21 | x32Bit, ""},
		{"the highest bit", unix.AUDIT_ARCH_X86_64, 165 | 1<<31, "x86_64"},
		{"another machine", unix.AUDIT_ARCH_S390X, 21, ""},
		{"nothing", 0, 0, ""},
	} {
		name, a, ok := callOf(tt.audit, tt.nr)
		got := ""
		if a != nil {
			got = a.name
		}
		if ok || name != "" || got != tt.abi {
			t.Errorf("%s: %q of %q, %t", tt.name, name, got, ok)
		}
	}
}
