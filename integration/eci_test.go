package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// eci runs the administrator's command on a bed, and gives its exit status.
func eci(t *testing.T, d *testbed.Daemon, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	all := append([]string{"--address", d.Address, "--config", d.ConfigFile()}, args...)
	cmd := osexec.CommandContext(deadline(t), filepath.Join(d.Programs.Dir, "eci"), all...)
	cmd.Env = append(os.Environ(), "PATH="+d.Programs.Dir+":"+os.Getenv("PATH"), "ECI_CONFIG=", "CONTAINERD_NAMESPACE=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *osexec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// eciJSON is eci with --json, which must end with a status.
func eciJSON[T any](t *testing.T, d *testbed.Daemon, status int, args ...string) T {
	t.Helper()
	out, errs, code := eci(t, d, append(args, "--json")...)
	if code != status || errs != "" {
		t.Fatalf("eci %q: exit status %d, want %d\n%s%s", args, code, status, out, errs)
	}
	return decode[T](t, out)
}

// TestEci_Check: on a machine on which these tests pass, nothing is missing.
func TestEci_Check(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	put(t, d, "conf.d/00.toml", "mounts.restricted = ["+quote(d.Dir)+"]") // as /etc/eci is
	type finding struct{ What, State, Found, Cost, Mend string }
	found := eciJSON[[]finding](t, d, 0, "check")
	byName := map[string]finding{}
	for _, f := range found {
		byName[f.What] = f
		if f.State == "missing" {
			t.Errorf("%+v", f)
		}
		if (f.State == "ok") == (f.Cost != "" || f.Mend != "") {
			t.Errorf("what is wrong needs a cost and a remedy: %+v", f)
		}
	}
	for what, part := range map[string]string{
		"kernel": "Linux", "user namespaces": "65536 IDs", "containerd": d.Address, "runtime": d.Programs.Eci, "runc": d.Programs.Runc,
		"configuration": d.ConfigFile(), "audit log": d.AuditFile(), "host IDs": "0 in use",
	} {
		if f := byName[what]; f.State != "ok" || !strings.Contains(f.Found, part) {
			t.Errorf("%s: got %+v, want %q", what, f, part)
		}
	}

	put(t, d, "conf.d/10.toml", "runc = '/bin/true'")
	out, _, code := eci(t, d, "check", "--color", "never")
	if code != 1 || !strings.Contains(out, "FAIL  runc") || !strings.Contains(out, "costs: no container starts") || !strings.Contains(out, "mend:  install runc") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	put(t, d, "conf.d/10.toml", "wrong = 1")
	out, _, code = eci(t, d, "check")
	if code != 1 || !strings.Contains(strings.Join(strings.Fields(out), " "), `"wrong" is not a known key`) {
		t.Errorf("exit status %d:\n%s", code, out)
	}
	for _, line := range strings.Split(out, "\n") {
		if len([]rune(line)) > 80 && !strings.Contains(line, d.Dir) && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, "PATH") {
			t.Errorf("a line is longer than 80 columns: %q", line)
		}
	}
}

// TestEci_Ps: the list has each container with its range and first process.
func TestEci_Ps(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	type row struct {
		Namespace, Container, Pod, Mode, Bundle, Started string
		FirstID, LastID                                  uint32
		Pid                                              int
	}
	if rows := eciJSON[[]row](t, d, 0, "ps"); len(rows) != 0 {
		t.Errorf("an empty bed has %+v", rows)
	}
	first := start(t, d, testbed.Container{ID: "first"})
	second := start(t, d, testbed.Container{ID: "second", Spec: func(s *specs.Spec) {
		s.Annotations = map[string]string{"io.kubernetes.cri.sandbox-name": "web", "io.kubernetes.cri.sandbox-namespace": "shop"}
	}})
	rows := eciJSON[[]row](t, d, 0, "ps")
	if len(rows) != 2 {
		t.Fatalf("got %+v", rows)
	}
	for i, task := range []*testbed.Task{first, second} {
		r := rows[slices.IndexFunc(rows, func(r row) bool { return r.Container == task.ID })]
		mapped := strings.Fields(mapping(t, task))
		if r.Namespace != d.Namespace || r.Pid != task.Pid() || r.Bundle != d.Bundle(task.ID) || r.Mode != "own" || r.Started == "" ||
			fmt.Sprint(r.FirstID) != mapped[1] || r.LastID-r.FirstID+1 != rangeSize || r.Pod != []string{"", "shop/web"}[i] {
			t.Errorf("%s: got %+v, its mapping is %v", task.ID, r, mapped)
		}
	}
	start(t, d, testbed.Container{ID: "beside", Spec: joining(of(first, specs.NetworkNamespace))})
	rows = eciJSON[[]row](t, d, 0, "ps")
	modes := map[string]string{}
	for _, r := range rows {
		if r.Container == "beside" && r.FirstID != rows[slices.IndexFunc(rows, func(r row) bool { return r.Container == "first" })].FirstID {
			t.Errorf("it does not share the range: %+v", rows)
		}
		modes[r.Container] = r.Mode
	}
	if modes["first"] != "own" || modes["second"] != "own" || modes["beside"] != "shared" {
		t.Errorf("got %v", modes)
	}
	out, _, _ := eci(t, d, "ps", "--color", "always")
	if !strings.Contains(out, "shop/web") || !strings.Contains(out, "\x1b[1mCONTAINER") {
		t.Errorf("got\n%s", out)
	}
	if rows := eciJSON[[]row](t, d, 0, "ps", "--namespace", "other"); len(rows) != 0 {
		t.Errorf("another namespace has %+v", rows)
	}
}

// TestEci_ExplainIsCreate: what is explained is what happens.
func TestEci_ExplainIsCreate(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	source := t.TempDir()
	chosen := put(t, d, "chosen.toml", "mounts.restricted = ["+quote(source)+"]")
	put(t, d, "conf.d/10.toml", "policies = ["+quote(chosen)+"]\nsockets.images = ["+quote(testbed.BusyboxName)+"]")
	pinImages(t, d, testbed.BusyboxName)
	type step struct{ Rule, Mode, Verdict, Field, Reason string }
	type explanation struct {
		Verdict, Error string
		Rules          []step
		Spec           *specs.Spec
	}
	for _, c := range []struct {
		name string
		c    testbed.Container
	}{
		{"plain", testbed.Container{}},
		{"volume", testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt", "ro")}}},
		{"volume that the chosen configuration restricts", testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}, Options: chosenOptions(d, chosen)}},
		{"restricted volume", testbed.Container{Mounts: []specs.Mount{testbed.Bind("/etc", "/mnt")}}},
		{"content of the engine", testbed.Container{Mounts: []specs.Mount{testbed.Bind(d.Dir+"/root/io.containerd.content.v1.content", "/mnt")}}},
		{"socket of the engine", testbed.Container{Mounts: []specs.Mount{testbed.Bind(d.Address, "/c.sock")}}},
		{"socket of the engine for another image", testbed.Container{Image: testbed.Layers100Name, Mounts: []specs.Mount{testbed.Bind(d.Address, "/c.sock")}}},
		{"privileged", testbed.Container{Privileged: true}},
		{"network of the host", testbed.Container{Spec: func(s *specs.Spec) {
			s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
		}}},
		{"network by path", testbed.Container{Spec: func(s *specs.Spec) {
			for i := range s.Linux.Namespaces {
				if s.Linux.Namespaces[i].Type == specs.NetworkNamespace {
					s.Linux.Namespaces[i].Path = "/proc/1/ns/net"
				}
			}
		}}},
		{"annotation", testbed.Container{Spec: func(s *specs.Spec) {
			s.Annotations = map[string]string{"eci.containerd.io/devices": "all"}
		}}},
		{"mapping", testbed.Container{Spec: withMapping([]specs.LinuxIDMapping{{HostID: 1000, Size: rangeSize}}, []specs.LinuxIDMapping{{HostID: 1000, Size: rangeSize}})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.c.ID = d.UniqueID("explained")
			made, err := d.Define(deadline(t), withRuntime(c.c))
			succeed(t, err)
			t.Cleanup(func() { succeed(t, d.Delete(deadline(t), made.ID())) })
			out, errs, code := eci(t, d, "explain", "--json", made.ID())
			if code > 1 || errs != "" {
				t.Fatalf("exit status %d: %s", code, errs)
			}
			e := decode[explanation](t, out)
			_, err = d.Restart(deadline(t), made.ID())
			switch {
			case err == nil && (code != 0 || e.Verdict != "allowed" || e.Error != "" || e.Spec == nil):
				t.Errorf("it starts, and is explained as %d %q %q", code, e.Verdict, e.Error)
			case err != nil && (code != 1 || e.Verdict != "denied" || e.Error == "" || !strings.Contains(err.Error(), e.Error)):
				t.Errorf("it is refused\n  %v\nand explained as %d %q\n  %v", err, code, e.Verdict, e.Error)
			}
			if err == nil && len(e.Spec.Linux.UIDMappings) != 1 {
				t.Errorf("the spec for runc has the mapping %v", e.Spec.Linux.UIDMappings)
			}
			asked := slices.IndexFunc(e.Rules, func(s step) bool { return s.Verdict == "" })
			if refusing := slices.IndexFunc(e.Rules, func(s step) bool { return s.Verdict == "denied" }); (refusing >= 0) != (err != nil) || refusing >= 0 && asked >= 0 && asked != refusing+1 {
				t.Errorf("rule %d refuses, %d is the first that is not asked, error: %v", refusing, asked, err)
			}
		})
	}
}

func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// TestEci_ExplainFile: a file is explained like a container, before there is one.
func TestEci_ExplainFile(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	task := start(t, d, testbed.Container{})
	spec, err := task.Container.Spec(d.Context(deadline(t)))
	succeed(t, err)
	text, err := json.Marshal(spec)
	succeed(t, err)
	file := filepath.Join(t.TempDir(), "config.json")
	succeed(t, os.WriteFile(file, text, 0o600))
	out, errs, code := eci(t, d, "explain", file)
	if code != 0 || !strings.Contains(out, "The container would start.") || !strings.Contains(out, `+     "uidMappings": [`) {
		t.Errorf("exit status %d: %s\n%s", code, errs, out)
	}
	out, _, code = eci(t, d, "explain", "--spec", task.ID[:1])
	if code == 2 {
		t.Errorf("the beginning of an id: exit status %d\n%s", code, out)
	}
	for _, args := range [][]string{{"explain", "no-such-container"}, {"explain", "/no/such/config.json"}, {"explain"}, {"explain", d.ConfigFile()}} {
		if out, errs, code := eci(t, d, args...); code != 2 || !strings.HasPrefix(errs, "eci: ") || strings.Count(errs, "\n") != 1 || out != "" {
			t.Errorf("eci %q: exit status %d, %q, %q", args, code, out, errs)
		}
	}
}

// TestEci_Audit: what was decided can be read, also after the log was rotated.
func TestEci_Audit(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	run(t, d, testbed.Container{ID: "good"})
	succeed(t, os.Rename(d.AuditFile(), d.AuditFile()+".1"))
	refused(t, d, testbed.Container{ID: "bad", Mounts: []specs.Mount{testbed.Bind("/etc", "/mnt")}}, "rule restricted-mount")
	for _, c := range []struct {
		args []string
		want string // verdicts
	}{
		{nil, "allowed denied"},
		{[]string{"--since", "1h"}, "allowed denied"},
		{[]string{"--since", "0s"}, ""},
		{[]string{"--denied"}, "denied"},
		{[]string{"--container", "go"}, "allowed"},
		{[]string{"--rule", "restricted-mount"}, "denied"},
		{[]string{"--rule", "host-namespace"}, ""},
		{[]string{"--namespace", "other"}, ""},
	} {
		out, errs, code := eci(t, d, append([]string{"audit", "--json"}, c.args...)...)
		var got []string
		for line := range strings.Lines(out) {
			got = append(got, decode[decision](t, line).Verdict)
		}
		if code != 0 || errs != "" || strings.Join(got, " ") != c.want {
			t.Errorf("eci audit %q: exit status %d, %q, %s", c.args, code, got, errs)
		}
	}
	out, _, _ := eci(t, d, "audit")
	for _, want := range []string{"allowed  " + d.Namespace + "/good  create\n", "denied   " + d.Namespace + "/bad  create\n", "restricted-mount, field mounts["} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, args := range [][]string{{"--since", "yesterday"}, {"--rule", "none"}} {
		if _, errs, code := eci(t, d, append([]string{"audit"}, args...)...); code != 2 || strings.Count(errs, "\n") != 1 {
			t.Errorf("eci audit %q: exit status %d, %q", args, code, errs)
		}
	}
}

// TestEci_Policy: what is shown is a configuration that means the same.
func TestEci_Policy(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	if out, _, code := eci(t, d, "policy", "lint"); code != 0 || !strings.Contains(out, "valid") {
		t.Errorf("exit status %d\n%s", code, out)
	}
	put(t, d, "conf.d/10.toml", "rules.hook = 'off'\nmounts.except = ['/boot']\n")
	shown, _, code := eci(t, d, "policy", "show", "--effective")
	if code != 0 || !strings.Contains(shown, "\nhook = \"off\"\n") {
		t.Errorf("exit status %d\n%s", code, shown)
	}
	again := put(t, d, "shown.toml", shown)
	if out, errs, code := eci(t, d, "policy", "show", "--effective", again); code != 0 || out != shown {
		t.Errorf("exit status %d, %s; shown again:\n%s", code, errs, out)
	}
	type lint struct {
		Valid   bool
		Error   string
		Remarks []struct{ Key, Text string }
	}
	l := eciJSON[lint](t, d, 0, "policy", "lint")
	var keys []string
	for _, r := range l.Remarks {
		keys = append(keys, r.Key)
	}
	for _, key := range []string{"rules.hook", "mounts.except"} {
		if !slices.Contains(keys, key) {
			t.Errorf("no remark about %s: %+v", key, l)
		}
	}
	eciJSON[lint](t, d, 1, "policy", "lint", "--strict")
	put(t, d, "conf.d/20.toml", "\nwrong = 1\n")
	if l := eciJSON[lint](t, d, 1, "policy", "lint"); l.Valid || !strings.Contains(l.Error, `20.toml:2: "wrong" is not a known key`) {
		t.Errorf("got %+v", l)
	}
}
