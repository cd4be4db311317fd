package host_test

import (
	"testing"

	"github.com/eci-runtime/eci/internal/host"
)

func TestRuncVersion(t *testing.T) {
	for _, c := range []struct{ output, version, err string }{
		{"runc version 1.5.2\ncommit: v1.5.2\nspec: 1.3.0\n", "1.5.2", ""},
		{"runc version 1.2.0-rc.1\n", "1.2.0-rc.1", ""},
		{"runc version 2.0.0+dev\n", "2.0.0+dev", ""},
		{"runc version 1.1.15\n", "", "/x is version 1.1.15; this runtime needs 1.2 or later"},
		{"crun 1.14\n", "", "/x --version does not print a version of runc"},
		{"", "", "/x --version does not print a version of runc"},
	} {
		version, err := host.RuncVersion("/x", []byte(c.output))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if version != c.version || got != c.err {
			t.Errorf("%q: %q, %q, want %q, %q", c.output, version, got, c.version, c.err)
		}
	}
}
