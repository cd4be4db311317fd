package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeRunc is a program that prints a version and counts how often it ran.
func fakeRunc(t *testing.T, dir, version string) (path, counter string) {
	t.Helper()
	path, counter = filepath.Join(dir, "runc"), filepath.Join(dir, "runs")
	script := fmt.Sprintf(`#!/bin/sh
[ $1 = features ] && echo '{"linux":{"seccomp":{"enabled":true,"supportedFlags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}}}' && exit
echo x >>%s
echo runc version %s
`, counter, version)
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
	if can := runcCan(state); !slices.Contains(can, featureSeccomp) || !slices.Contains(can, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") {
		t.Errorf("it can do %q", can)
	}
	if can := runcCan(t.TempDir()); can != nil {
		t.Errorf("a runc that nobody has asked can do %q", can)
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
