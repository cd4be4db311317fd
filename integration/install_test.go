package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/eci-runtime/eci/integration/testbed"
)

// snapshotOf is what the files of a directory hold, by their paths in it.
func snapshotOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data := []byte(nil)
		if e.Type().IsRegular() {
			if data, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		files[path] = fmt.Sprintf("%v %s", info.Mode(), data)
		return nil
	}))
	return files
}

// sameFiles fails where two snapshots differ.
func sameFiles(t *testing.T, want, got map[string]string) {
	t.Helper()
	for path, text := range want {
		if got[path] != text {
			t.Errorf("%s was\n%s\nand is\n%s", path, text, got[path])
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s is left", path)
		}
	}
}

// installer calls eci install and uninstall on files in a directory of the test's own.
type installer struct {
	*testing.T
	d     *testbed.Daemon
	dir   string
	flags []string // of both
	more  []string // of install
}

func (i installer) call(status int, args ...string) string {
	i.Helper()
	all := append(args, i.flags...)
	if args[0] == "install" {
		all = append(all, i.more...)
	}
	out, errs, code := eci(i.T, i.d, all...)
	if code != status || strings.Count(errs, "\n") > 1 {
		i.Fatalf("eci %q: exit status %d, want %d\n%s%s", args, code, status, out, errs)
	}
	return out + errs
}

// TestInstall_Containerd: after eci install a pod of the handler runs, and after eci uninstall
// every byte is as before.
func TestInstall_Containerd(t *testing.T) {
	d := freshBed(t, testbed.Options{CRI: true})
	must(t, d.ImportPodImages(deadline(t), firstImage(t)))
	main := filepath.Join(d.Dir, "containerd.toml")
	data, err := os.ReadFile(main)
	must(t, err)
	// The bed has given the handler a name that is to be ours now.
	text := strings.NewReplacer("runtimes.eci", "runtimes.bed", `default_runtime_name = "eci"`, `default_runtime_name = "bed"`).Replace(string(data))
	must(t, os.WriteFile(main, []byte(text+"\n# the administrator's last words"), 0o600))
	must(t, d.Relaunch())

	work := t.TempDir()
	i := installer{
		T: t, d: d, dir: work, flags: []string{"--record", filepath.Join(work, "install.json"), "--docker-socket", filepath.Join(work, "docker.sock")},
		more: []string{"--engine", "containerd", "--containerd-config", main, "--containerd-conf-d", filepath.Join(work, "conf.d")},
	}
	before := snapshotOf(t, work)

	pod := func() error {
		config := &runtimeapi.PodSandboxConfig{
			Metadata: &runtimeapi.PodSandboxMetadata{Name: "p", Uid: "u", Namespace: "n"},
			Linux:    &runtimeapi.LinuxPodSandboxConfig{CgroupParent: d.Cgroup()},
		}
		sandbox, err := d.CRI().RunPodSandbox(deadline(t), &runtimeapi.RunPodSandboxRequest{Config: config, RuntimeHandler: "eci"})
		if err != nil {
			return err
		}
		_, err = d.CRI().StopPodSandbox(deadline(t), &runtimeapi.StopPodSandboxRequest{PodSandboxId: sandbox.PodSandboxId})
		must(t, err)
		_, err = d.CRI().RemovePodSandbox(deadline(t), &runtimeapi.RemovePodSandboxRequest{PodSandboxId: sandbox.PodSandboxId})
		return err
	}
	if err := pod(); err == nil || !strings.Contains(err.Error(), `"eci"`) {
		t.Fatalf("before the installation: %v", err)
	}
	checkText(t, errorOf(i.call(2, "install")), "nobody can be asked here; say --yes")
	out := i.call(0, "install", "--dry-run")
	for _, want := range []string{"+ runtime_path = '" + d.Programs.Eci + "'", "+ imports = [", "+ [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.eci]"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan lacks %q:\n%s", want, out)
		}
	}
	sameFiles(t, before, snapshotOf(t, work))

	out = i.call(0, "install", "--yes")
	if !strings.Contains(out, "containerd: restart containerd") || !strings.Contains(out, "a container was started, and isolated") || !strings.Contains(out, "kind: RuntimeClass") {
		t.Errorf("got\n%s", out)
	}
	if out := i.call(0, "install", "--yes"); !strings.Contains(out, "configured already") {
		t.Errorf("a second time:\n%s", out)
	}
	must(t, d.Relaunch())
	must(t, pod())

	// Somebody edits our part.
	drop := filepath.Join(work, "conf.d", "50-eci.toml")
	ours, err := os.ReadFile(drop)
	must(t, err)
	must(t, os.WriteFile(drop, append(ours, "# mine\n"...), 0o600))
	edited := snapshotOf(t, work)
	checkText(t, errorOf(i.call(2, "uninstall", "--yes")), "nothing was changed: "+drop, "edited since eci install")
	sameFiles(t, edited, snapshotOf(t, work))
	must(t, os.WriteFile(drop, ours, 0o600))

	i.call(0, "uninstall", "--yes")
	sameFiles(t, before, snapshotOf(t, work))
	if data, err := os.ReadFile(main); err != nil || string(data) != text+"\n# the administrator's last words" {
		t.Errorf("%v\n%s", err, data)
	}
	checkText(t, errorOf(i.call(2, "uninstall", "--yes")), "nothing is installed")
	must(t, d.Relaunch())
	if err := pod(); err == nil {
		t.Error("the handler is still there")
	}
	checkClean(t, d)
}

// errorOf is the line of an error that a program has written.
func errorOf(text string) error {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return fmt.Errorf("%s", lines[len(lines)-1])
}

func firstImage(t *testing.T) testbed.Image {
	t.Helper()
	images, err := buildImages()
	must(t, err)
	return images[0]
}

// TestInstall_FailsClosed: what containerd does not understand, or what does not start
// isolated, is taken back.
func TestInstall_FailsClosed(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	work := t.TempDir()
	main := filepath.Join(work, "config.toml")
	i := installer{T: t, d: d, dir: work, flags: []string{"--record", filepath.Join(work, "state", "install.json"), "--docker-socket", filepath.Join(work, "docker.sock")}}
	for name, c := range map[string]struct {
		main string
		more []string
		want string
	}{
		"not TOML":           {main: "version = \n", want: "containerd cannot read its configuration"},
		"unknown to it":      {main: "version = 3\nroot = 7\n", want: "containerd cannot read its configuration"},
		"version 1":          {main: "root = '/x'\n", want: "containerd config migrate"},
		"not isolated":       {main: "version = 3\n", more: []string{"--shim", filepath.Join(d.Programs.Dir, "containerd-shim-runc-v2")}, want: "it is not isolated: its root is the host's: everything is as it was"},
		"no shim":            {main: "version = 3\n", more: []string{"--shim", "/nonexistent"}, want: "the runtime is not installed"},
		"no such engine":     {main: "version = 3\n", more: []string{"--engine", "podman"}, want: "--engine is containerd or docker"},
		"somebody else's":    {main: "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.eci]\nruntime_type = 'x'\n", want: "not by eci install"},
		"nothing starts":     {main: "version = 3\n", more: []string{"--shim", "/bin/false"}, want: "everything is as it was"},
		"Docker's is no use": {main: "version = 3\n", more: []string{"--engine", "docker", "--docker-config", filepath.Join(work, "daemon.json")}, want: "daemon.json: cannot be edited safely"},
	} {
		t.Run(name, func(t *testing.T) {
			i := i
			i.T = t
			must(t, os.WriteFile(main, []byte(c.main), 0o640))
			must(t, os.WriteFile(filepath.Join(work, "daemon.json"), []byte("{,}"), 0o644))
			i.more = append([]string{"--containerd-config", main}, c.more...)
			if !slices.Contains(c.more, "--engine") {
				i.more = append(i.more, "--engine", "containerd")
			}
			before := snapshotOf(t, work)
			checkText(t, errorOf(i.call(2, "install", "--yes")), c.want)
			sameFiles(t, before, snapshotOf(t, work))
		})
	}
	checkClean(t, d)
}

// TestInstall_EveryContainerd: each series understands what is written for it, beside what an
// administrator has written in its own form.
func TestInstall_EveryContainerd(t *testing.T) {
	d := bed(t)
	programs, err := filepath.Glob(filepath.Join(d.Programs.Dir, "compat", "*", "containerd"))
	must(t, err)
	if len(programs) == 0 {
		t.Logf("the pinned containerd only: make test-compat builds the others into %s/compat", d.Programs.Dir)
	}
	for _, program := range append(programs, d.Programs.Containerd) {
		for name, text := range map[string]string{
			"none": "",
			"version 2": "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\n  enable_cdi = true\n  [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n" +
				"    [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.crun]\n      runtime_type = \"io.containerd.runc.v2\"\n" +
				"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n",
			"version 3": "version = 3\n[plugins.\"io.containerd.cri.v1.runtime\"]\n  enable_cdi = true\n" +
				"[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.crun]\n  runtime_type = \"io.containerd.runc.v2\"\n" +
				"[plugins.\"io.containerd.cri.v1.runtime\".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n",
		} {
			t.Run(filepath.Base(filepath.Dir(program))+", "+name, func(t *testing.T) {
				if name == "version 3" && strings.Contains(program, "/1.7/") {
					t.Skip("containerd 1.7 knows version 2 of the configuration")
				}
				work := t.TempDir()
				main := filepath.Join(work, "etc", "config.toml")
				if text != "" {
					succeed(t, os.Mkdir(filepath.Dir(main), 0o755), os.WriteFile(main, []byte(text), 0o644))
				}
				i := installer{
					T: t, d: d, dir: work, flags: []string{"--record", filepath.Join(work, "install.json")},
					more: []string{"--engine", "containerd", "--containerd", program, "--containerd-config", main, "--no-check"},
				}
				before := snapshotOf(t, work)
				i.call(0, "install", "--yes")
				dump := command(t, program, "--config", main, "config", "dump")
				for _, want := range []string{d.Programs.Eci, map[bool]string{true: "crun", false: "runtimes.runc"}[text != ""]} {
					if !strings.Contains(dump, want) {
						t.Errorf("%s is not in\n%s", want, dump)
					}
				}
				if text != "" && strings.Count(dump, "SystemdCgroup = true") != 2 {
					t.Error("the kubelet's cgroup driver is not that of the handler")
				}
				i.call(0, "uninstall", "--yes")
				sameFiles(t, before, snapshotOf(t, work))
			})
		}
	}
}

// TestInstall_Docker: dockerd reads what was written without a restart.
func TestInstall_Docker(t *testing.T) {
	d := bed(t)
	work := t.TempDir()
	file := filepath.Join(work, "daemon.json")
	const text = "{\n\t\"labels\": [\"a=b\"],   \"runtimes\":\n\t{ \"other\": {\"path\": \"/bin/false\"} }\n}"
	must(t, os.WriteFile(file, []byte(text), 0o640))
	bin := filepath.Join(d.Programs.Dir, "moby")
	if _, err := os.Stat(filepath.Join(bin, "dockerd")); err != nil {
		t.Skipf("needs a dockerd that knows runtimeType (23.0), in %s: run make systems", bin)
	}
	real := newRealDockerOf(t, d, bin, "--config-file", file)
	i := installer{
		T: t, d: d, dir: work, flags: []string{"--record", filepath.Join(work, "install.json"), "--docker-socket", real.socket},
		more: []string{"--engine", "docker", "--docker-config", file, "--shim", d.Programs.Eci},
	}
	if out := i.call(0, "install", "--yes"); !strings.Contains(out, "send SIGHUP") || !strings.Contains(out, "it has not read its configuration yet") {
		t.Errorf("got\n%s", out)
	}
	reload := func(with bool) {
		t.Helper()
		must(t, syscall.Kill(real.pid, syscall.SIGHUP))
		for end := time.Now().Add(patience); bytes.Contains(real.get(t, "/info"), []byte(`"eci":`)) != with; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("dockerd does not read its configuration")
			}
		}
	}
	reload(true)
	// A runtime that does not map the root file system that dockerd has mounted says so; then
	// that is what eci install has to pass on.
	out, errs, code := eci(t, d, append(append([]string{"install", "--yes"}, i.flags...), i.more...)...)
	isolated := code == 0 && strings.Contains(out, "docker: a container was started, and isolated")
	if !isolated && (code != 2 || !strings.Contains(errs, "cannot be ID-mapped")) {
		t.Errorf("exit status %d\n%s%s", code, out, errs)
	}
	if left := string(real.get(t, "/containers/json?all=1")) + string(real.get(t, "/images/json")); left != "[]\n[]\n" {
		t.Errorf("left: %q", left)
	}
	data, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, bytes.Replace(data, []byte("a=b"), []byte("a=c"), 1), 0o640))
	i.call(0, "uninstall", "--yes")
	if data, err := os.ReadFile(file); err != nil || string(data) != strings.Replace(text, "a=b", "a=c", 1) {
		t.Errorf("%v\n%s", err, data)
	}
	reload(false)
}

// TestInstall_OldDocker: a Docker that would start plain containers under our name is refused.
func TestInstall_OldDocker(t *testing.T) {
	d := bed(t)
	work := t.TempDir()
	file := filepath.Join(work, "daemon.json")
	must(t, os.WriteFile(file, []byte("{}"), 0o640))
	real := newRealDocker(t, d)
	var version struct{ Version string }
	must(t, json.Unmarshal(real.get(t, "/version"), &version))
	if !strings.HasPrefix(version.Version, "20.") {
		t.Skipf("Docker %s of %s is new enough", version.Version, real.dir)
	}
	i := installer{
		T: t, d: d, dir: work, flags: []string{"--record", filepath.Join(work, "install.json"), "--docker-socket", real.socket},
		more: []string{"--engine", "docker", "--docker-config", file},
	}
	before := snapshotOf(t, work)
	checkText(t, errorOf(i.call(2, "install", "--yes")), "Docker "+version.Version+" would run runc under this runtime's name")
	sameFiles(t, before, snapshotOf(t, work))
}

// get asks dockerd's API.
func (r realDocker) get(t *testing.T, path string) []byte {
	t.Helper()
	api := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", r.socket)
	}}}
	request, err := http.NewRequestWithContext(deadline(t), http.MethodGet, "http://docker"+path, nil)
	must(t, err)
	answer, err := api.Do(request)
	must(t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	must(t, err)
	return data
}
