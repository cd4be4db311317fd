package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRequireVersion(t *testing.T) {
	for _, c := range []struct{ output, err string }{
		{"runc version 1.5.2\ncommit: v1.5.2\nspec: 1.3.0\n", ""},
		{"runc version 1.2.0-rc.1\n", ""},
		{"runc version 2.0.0+dev\n", ""},
		{"runc version 1.1.15\n", "runc: /x is version 1.1; this runtime needs 1.2 or later"},
		{"crun 1.14\n", "runc: /x --version does not print a version of runc"},
		{"", "runc: /x --version does not print a version of runc"},
	} {
		if got := errText(requireVersion("/x", c.output)); got != c.err {
			t.Errorf("%q: %q, want %q", c.output, got, c.err)
		}
	}
}

// fakeRunc is a program that prints a version and counts how often it ran.
func fakeRunc(t *testing.T, dir, version string) (path, counter string) {
	t.Helper()
	path, counter = filepath.Join(dir, "runc"), filepath.Join(dir, "runs")
	script := fmt.Sprintf("#!/bin/sh\necho x >>%s\necho runc version %s\n", counter, version)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path, counter
}

func TestCheckRuncAsksEachBuildOnce(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	path, counter := fakeRunc(t, dir, "1.3.0")
	runs := func() int {
		data, _ := os.ReadFile(counter)
		return strings.Count(string(data), "x")
	}
	for range 3 {
		if err := checkRunc(path, state); err != nil {
			t.Fatal(err)
		}
	}
	if runs() != 1 {
		t.Errorf("asked %d times, want once", runs())
	}
	fakeRunc(t, dir, "1.0.0-of-another-size")
	if err := checkRunc(path, state); err == nil || !strings.Contains(err.Error(), "needs 1.2 or later") {
		t.Errorf("a replaced runc: %v", err)
	}
	if runs() != 2 {
		t.Errorf("a replaced runc was not asked")
	}
	if err := checkRunc(filepath.Join(dir, "gone"), state); err == nil {
		t.Error("a runc that is not there is accepted")
	}
}
