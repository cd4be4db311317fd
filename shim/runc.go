package shim

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/policy"
)

// checkRunc verifies once for every build of runc that it is new enough. What was
// found is remembered in the state directory, under the identity of the file, so
// that the question costs a read instead of a process. It must run where nothing
// reaps children, that is in the "start" action.
func checkRunc(path, stateDir string) error {
	identity, err := fileIdentity(path)
	if err != nil {
		return fmt.Errorf("runc: %w", err)
	}
	memo := runcMemo(stateDir)
	if known, err := os.ReadFile(memo); err == nil && strings.HasPrefix(string(known), identity) {
		return nil
	}
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return fmt.Errorf("runc: %s --version: %w", path, err)
	}
	if _, err := host.RuncVersion(path, out); err != nil {
		return fmt.Errorf("runc: %w", err)
	}
	next := fmt.Sprintf("%s.%d", memo, os.Getpid())
	if err := os.WriteFile(next, []byte(identity+runcFeatures(path)), 0o600); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return os.Rename(next, memo)
}

func runcMemo(stateDir string) string { return filepath.Join(stateDir, "runc") }

// runcFeatures are what a runc can do that matters here, a line each: seccomp, and the flags for
// filters that it and the library that it is linked with know.
func runcFeatures(path string) string {
	out, err := exec.Command(path, "features").Output()
	if err != nil {
		return ""
	}
	var f features.Features
	if err := json.Unmarshal(out, &f); err != nil || f.Linux == nil || f.Linux.Seccomp == nil {
		return ""
	}
	lines := f.Linux.Seccomp.SupportedFlags
	if enabled := f.Linux.Seccomp.Enabled; enabled != nil && *enabled {
		lines = append(lines, featureSeccomp)
	}
	return strings.Join(lines, "\n") + "\n"
}

const featureSeccomp = "seccomp"

// runcCan are the features that [checkRunc] has remembered.
func runcCan(stateDir string) []string {
	known, err := os.ReadFile(runcMemo(stateDir))
	if err != nil {
		return nil
	}
	return strings.Split(string(known), "\n")
}

// fileIdentity names a file and its present content.
func fileIdentity(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%s %d:%d %d %d\n", path, st.Dev, st.Ino, st.Size, info.ModTime().UnixNano()), nil
}

// findRunc returns the absolute path of the OCI runtime: the one that the
// configuration names, else runc on the PATH.
//
// A client that names another binary is refused: it would run as root on the
// host, outside of every isolation.
func findRunc(cfg policy.Config, opts *options.Options) (string, error) {
	want := cfg.Runc
	if want == "" {
		path, err := exec.LookPath("runc")
		if err != nil {
			return "", fmt.Errorf("find runc: %w", err)
		}
		if want, err = filepath.Abs(path); err != nil {
			return "", err
		}
	}
	if b := opts.GetBinaryName(); b != "" && b != want && b != "runc" {
		return "", &optionsError{fmt.Sprintf("name the binary %q; this runtime uses %s (key runc of its configuration)", b, want)}
	}
	return want, nil
}
