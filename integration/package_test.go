package integration

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// packageOf is the package of this machine's architecture.
func packageOf(t *testing.T, pattern string) string {
	t.Helper()
	programs, err := testbed.FindPrograms("")
	must(t, err)
	found, err := filepath.Glob(filepath.Join(programs.Dir, "packages", strings.ReplaceAll(pattern, "ARCH", runtime.GOARCH)))
	must(t, err)
	if len(found) != 1 {
		t.Skipf("the packages are not built: run make packages (%d of %s in %s/packages)", len(found), pattern, programs.Dir)
	}
	return found[0]
}

// debianRoot is a new root file system of Debian's.
func debianRoot(t *testing.T) string {
	t.Helper()
	needRoot(t)
	if _, err := osexec.LookPath("mmdebstrap"); err != nil {
		t.Skipf("needs mmdebstrap: %v", err)
	}
	base, err := os.MkdirTemp("", "eci-root-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(base)) })
	root := filepath.Join(base, "root")
	out, err := osexec.CommandContext(deadline(t), "mmdebstrap", "--variant=essential", "--mode=root", "--skip=check/empty",
		"--aptopt=Acquire::Languages \"none\"", "--aptopt=Acquire::Check-Valid-Until \"false\"", // a mirror may be behind; nobody keeps this
		"bookworm", root).CombinedOutput()
	if err != nil {
		t.Fatalf("mmdebstrap: %v\n%s", err, lastLines(string(out), 20))
	}
	proc := filepath.Join(root, "proc")
	must(t, unix.Mount("/proc", proc, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(proc, 0)) }) // before the files go
	return root
}

// inRoot runs a command in a root file system, which must end with a status.
func inRoot(t *testing.T, root string, status int, args ...string) string {
	t.Helper()
	cmd := osexec.CommandContext(deadline(t), "chroot", append([]string{root, "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, args...)...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Fatalf("%q: exit status %d, want %d\n%s", args, got, status, out)
	}
	return string(out)
}

// filesOf are the paths in a root file system that are or hold something of eci.
func filesOf(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	must(t, filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == filepath.Join(root, "proc") {
			return filepath.SkipDir
		}
		inside := strings.TrimPrefix(path, root)
		if slices.ContainsFunc(strings.FieldsFunc(inside, func(r rune) bool { return strings.ContainsRune("/.-_", r) }), func(w string) bool { return w == "eci" }) &&
			!strings.HasPrefix(inside, "/var/lib/dpkg") && !strings.HasPrefix(inside, "/var/log") && !strings.HasPrefix(inside, "/run/") {
			found = append(found, inside)
		}
		return nil
	}))
	return found
}

// copyInto puts a file into a root file system.
func copyInto(t *testing.T, root, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	succeed(t, err, os.MkdirAll(filepath.Dir(filepath.Join(root, to)), 0o755), os.WriteFile(filepath.Join(root, to), data, 0o755))
}

// TestPackages_Deb: installed, used, upgraded and removed in a new Debian; the removal takes
// back what eci install has written, and does not go on where it cannot.
func TestPackages_Deb(t *testing.T) {
	deb := packageOf(t, "eci_*_ARCH.deb")
	root := debianRoot(t)
	programs, err := testbed.FindPrograms("")
	must(t, err)
	copyInto(t, root, deb, "/tmp/eci.deb")
	copyInto(t, root, programs.Containerd, "/usr/bin/containerd")
	if out := inRoot(t, root, 0, "dpkg", "-i", "/tmp/eci.deb"); !strings.Contains(out, "eci check") {
		t.Errorf("got\n%s", out)
	}
	if out := inRoot(t, root, 0, "dpkg", "-V", "eci"); strings.TrimSpace(out) != "" {
		t.Errorf("dpkg finds other files than it has unpacked:\n%s", out)
	}
	installed := inRoot(t, root, 0, "dpkg", "-L", "eci")
	for _, want := range []string{
		"/usr/bin/containerd-shim-eci-v2", "/usr/bin/eci", "/usr/share/man/man8/eci-install.8.gz", "/usr/share/bash-completion/completions/eci",
		"/usr/share/zsh/site-functions/_eci", "/usr/share/doc/eci/copyright", "/usr/share/doc/eci/config.example.toml", "/usr/share/doc/eci/sbom.spdx.json",
		"/usr/share/eci/deploy/kubernetes/admission.yaml", "/usr/share/eci/deploy/grafana/eci.json", "/usr/lib/systemd/system/eci-metrics.service",
	} {
		if !strings.Contains(installed, want+"\n") {
			t.Errorf("the package lacks %s", want)
		}
	}
	version := strings.TrimSpace(inRoot(t, root, 0, "eci", "version"))
	if shim := inRoot(t, root, 0, "containerd-shim-eci-v2", "-v"); !strings.Contains(shim, strings.Fields(version)[1]) {
		t.Errorf("%s and %s", version, shim)
	}
	inRoot(t, root, 0, "eci", "policy", "lint", "/usr/share/doc/eci/config.example.toml")

	const main = "/etc/containerd/config.toml"
	const text = "# mine\nversion = 3\n"
	succeed(t, os.MkdirAll(filepath.Join(root, "etc/containerd"), 0o755), os.WriteFile(filepath.Join(root, main), []byte(text), 0o644))
	inRoot(t, root, 0, "eci", "install", "--yes", "--no-check")
	if data, err := os.ReadFile(filepath.Join(root, "etc/containerd/conf.d/50-eci.toml")); err != nil || !strings.Contains(string(data), "/usr/bin/containerd-shim-eci-v2") {
		t.Errorf("%v\n%s", err, data)
	}

	// An upgrade to the same and to a later version leaves the configuration.
	work := t.TempDir()
	command(t, "dpkg-deb", "-R", deb, filepath.Join(work, "x"))
	control := filepath.Join(work, "x/DEBIAN/control")
	data, err := os.ReadFile(control)
	must(t, err)
	must(t, os.WriteFile(control, regexp.MustCompile(`(?m)^Version: .*$`).ReplaceAll(data, []byte("Version: 99.0-1")), 0o644))
	command(t, "dpkg-deb", "-b", filepath.Join(work, "x"), filepath.Join(root, "tmp/later.deb"))
	inRoot(t, root, 0, "dpkg", "-i", "/tmp/later.deb")
	if got := inRoot(t, root, 0, "dpkg-query", "-W", "-f", "${Version}", "eci"); got != "99.0-1" {
		t.Errorf("version %s", got)
	}
	if _, err := os.Stat(filepath.Join(root, "var/lib/eci/install.json")); err != nil {
		t.Error(err)
	}

	// Somebody has edited our part: the package stays, and says why.
	drop := filepath.Join(root, "etc/containerd/conf.d/50-eci.toml")
	ours, err := os.ReadFile(drop)
	succeed(t, err, os.WriteFile(drop, append(ours, '#'), 0o644))
	if out := inRoot(t, root, 1, "dpkg", "-r", "eci"); !strings.Contains(out, "edited since eci install") {
		t.Errorf("got\n%s", out)
	}
	inRoot(t, root, 0, "eci", "version")
	must(t, os.WriteFile(drop, ours, 0o644))
	inRoot(t, root, 0, "dpkg", "-r", "eci")
	inRoot(t, root, 0, "dpkg", "-P", "eci")
	if data, err := os.ReadFile(filepath.Join(root, main)); err != nil || string(data) != text {
		t.Errorf("%v\n%s", err, data)
	}
	must(t, os.RemoveAll(filepath.Join(root, "tmp")))
	if left := filesOf(t, root); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestPackages_RPM: the other family's package, in the same root by rpm --root.
func TestPackages_RPM(t *testing.T) {
	rpm := packageOf(t, "eci-*-ARCH.rpm")
	if _, err := osexec.LookPath("rpm"); err != nil {
		t.Skipf("needs rpm: %v", err)
	}
	root := debianRoot(t)
	command(t, "rpm", "--root", root, "--initdb")
	command(t, "rpm", "--root", root, "--nodeps", "-i", rpm)
	if out := command(t, "rpm", "--root", root, "-V", "--nodeps", "eci"); strings.TrimSpace(out) != "" {
		t.Errorf("rpm finds other files than it has unpacked:\n%s", out)
	}
	inRoot(t, root, 0, "eci", "--help")
	if got := strings.TrimSpace(command(t, "rpm", "--root", root, "-q", "--qf", "%{LICENSE}", "eci")); got != "Apache-2.0" {
		t.Errorf("licence %q", got)
	}
	command(t, "rpm", "--root", root, "-e", "eci")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/eci")); err == nil {
		t.Error("the program is still there")
	}
}
