package seccomp

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/policy"
)

var rowName = regexp.MustCompile("^\\| `([a-z0-9_]+)` \\|")

// TestDocs: the table of docs/syscalls.md has exactly the rows of calls, in their order.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/syscalls.md")
	must(t, err)
	_, section, found := strings.Cut(string(data), "\n## The calls\n")
	section, _, more := strings.Cut(section, "\n## ")
	if !found || !more {
		t.Fatal("docs/syscalls.md has no section on the calls")
	}
	var documented []string
	for line := range strings.Lines(section) {
		if m := rowName.FindStringSubmatch(line); m != nil {
			documented = append(documented, m[1])
		}
	}
	var rows []string
	for _, c := range calls {
		rows = append(rows, c.name)
	}
	if !slices.Equal(documented, rows) {
		t.Errorf("docs/syscalls.md has %q, the table %q", documented, rows)
	}
}

// TestIntercepted: the policy hands over exactly what the table answers.
func TestIntercepted(t *testing.T) {
	var rows []string
	for _, c := range calls {
		rows = append(rows, c.name)
	}
	slices.Sort(rows)
	if handed := slices.Sorted(slices.Values(policy.Intercepted())); !slices.Equal(handed, rows) {
		t.Errorf("handed over are %q, answered %q", handed, rows)
	}
}
