package shim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"github.com/containerd/containerd/api/types/runc/options"

	"github.com/eci-runtime/eci/policy"
)

// runcMinimum is the oldest runc that we delegate to: 1.2 knows time namespaces,
// and opens mount sources safely in user namespaces.
var runcMinimum = [2]int{1, 2}

// checkRunc verifies once for every build of runc that it is new enough. What was
// found is remembered in the state directory, under the identity of the file, so
// that the question costs a read instead of a process. It must run where nothing
// reaps children, that is in the "start" action.
func checkRunc(path, stateDir string) error {
	identity, err := fileIdentity(path)
	if err != nil {
		return fmt.Errorf("runc: %w", err)
	}
	memo := filepath.Join(stateDir, "runc")
	if known, err := os.ReadFile(memo); err == nil && string(known) == identity {
		return nil
	}
	version, err := runcVersion(path)
	if err != nil {
		return err
	}
	if err := requireVersion(path, version); err != nil {
		return err
	}
	next := fmt.Sprintf("%s.%d", memo, os.Getpid())
	if err := os.WriteFile(next, []byte(identity), 0o600); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return os.Rename(next, memo)
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

var versionLine = regexp.MustCompile(`(?m)^\S+ version (\d+)\.(\d+)\S*$`)

// runcVersion asks the binary.
func runcVersion(path string) (string, error) {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("runc: %s --version: %w", path, err)
	}
	return string(out), nil
}

// requireVersion reads the output of runc --version.
func requireVersion(path, output string) error {
	m := versionLine.FindStringSubmatch(output)
	if m == nil {
		return fmt.Errorf("runc: %s --version does not print a version of runc", path)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if major < runcMinimum[0] || (major == runcMinimum[0] && minor < runcMinimum[1]) {
		return fmt.Errorf("runc: %s is version %d.%d; this runtime needs %d.%d or later", path, major, minor, runcMinimum[0], runcMinimum[1])
	}
	return nil
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
