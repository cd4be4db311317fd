package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// decision is a line of the audit log.
type decision struct {
	Time                         time.Time
	Namespace, Container, Action string
	Exec, Image, ImageBy         string
	Verdict, Rule, Field, Reason string
	Modes                        map[string]string
}

// decisions are the lines of the log that are about a container.
func decisions(t *testing.T, path, id string) []decision {
	t.Helper()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	succeed(t, err)
	var found []decision
	for line := range bytes.Lines(data) {
		var d decision
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := json.Unmarshal(line, &d); err != nil {
			t.Errorf("%q: %v", line, err)
		} else if d.Container == id {
			found = append(found, d)
		}
	}
	return found
}

// timeless is a decision without what differs between two runs.
func timeless(d decision) decision {
	d.Time, d.Exec = time.Time{}, ""
	return d
}

// TestP23_EveryDecisionIsALine: a refusal, an exception, and who was allowed to start.
func TestP23_EveryDecisionIsALine(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	source := t.TempDir()
	hostNet := func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
	}
	kubelets := func(s *specs.Spec) {
		s.Annotations = map[string]string{"io.kubernetes.cri.image-name": "example.com/web:1"}
	}
	line := func(id, verdict, rule, field, reason string) decision {
		return decision{Namespace: d.Namespace, Container: id, Action: "create", Verdict: verdict, Rule: rule, Field: field, Reason: reason}
	}
	named := func(l decision, image string) decision {
		l.Image, l.ImageBy = image, "client"
		return l
	}
	warning := line("warned", "warned", "restricted-mount", "mounts[7].source", "can't mount "+source+" because it's configured as a restricted host mount")
	whole := line("warned", "allowed", "", "", "")
	whole.Modes = map[string]string{"restricted-mount": "warn"}
	for _, c := range []struct {
		id, config string
		c          testbed.Container
		refused    bool
		want       []decision
	}{
		{id: "allowed", want: []decision{line("allowed", "allowed", "", "", "")}},
		{id: "named", c: testbed.Container{Spec: kubelets}, want: []decision{named(line("named", "allowed", "", "", ""), "example.com/web:1")}},
		{id: "denied", c: testbed.Container{Spec: hostNet}, refused: true, want: []decision{line("denied", "denied", "host-namespace", "linux.namespaces",
			"invalid or unsupported container spec: eci containers can't share a network namespace with the host (because they use the linux user-namespace for isolation)")}},
		{id: "options", c: testbed.Container{Options: &options.Options{BinaryName: "/bin/busybox"}}, refused: true, want: []decision{line("options", "denied", "runtime-options", "", "")}},
		{
			id: "warned", config: fmt.Sprintf("mounts.restricted = [%q]\nrules.restricted-mount = 'warn'", source),
			c: testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}}, want: []decision{whole, warning},
		},
		{id: "quiet", config: "audit.log = 'denied'"},
		{id: "loud", config: "audit.log = 'denied'", c: testbed.Container{Spec: hostNet}, refused: true, want: []decision{line("loud", "denied", "host-namespace", "linux.namespaces", "")}},
		{id: "silent", config: "audit.file = ''", c: testbed.Container{Spec: hostNet}, refused: true},
	} {
		t.Run(c.id, func(t *testing.T) {
			put(t, d, "conf.d/10.toml", c.config)
			c.c.ID = c.id
			before := time.Now()
			if c.refused {
				refused(t, d, c.c)
			} else {
				run(t, d, c.c)
			}
			got := decisions(t, d.AuditFile(), c.id)
			for i, l := range got {
				if l.Time.Before(before) || l.Time.After(time.Now()) {
					t.Errorf("line %d is of %s", i, l.Time)
				}
				got[i] = timeless(l)
				if i < len(c.want) && c.want[i].Reason == "" && l.Verdict == "denied" {
					got[i].Reason = "" // whatever it is; there must be one
					if l.Reason == "" {
						t.Error("a refusal without a reason")
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	info, err := os.Stat(d.AuditFile())
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the log is %v, %v", info.Mode(), err)
	}
}

// TestP23_ExceptionsAreLines: who was given an engine's socket stands in the log, with
// the name of the image as the engine knows it.
func TestP23_ExceptionsAreLines(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	put(t, d, "conf.d/10.toml", fmt.Sprintf("sockets.images = [%q]", testbed.BusyboxName))
	c := testbed.Container{ID: "c", Mounts: []specs.Mount{testbed.Bind(d.Address, "/containerd.sock")}}
	refused(t, d, c, "rule engine-socket")
	pinImages(t, d, testbed.BusyboxName)
	run(t, d, c)
	var got []string
	for _, l := range decisions(t, d.AuditFile(), "c") {
		if l.Image != testbed.BusyboxName || l.ImageBy != "engine" {
			t.Errorf("the image is %q by %q", l.Image, l.ImageBy)
		}
		got = append(got, l.Verdict+" "+l.Rule)
	}
	if want := []string{"denied engine-socket", "allowed ", "granted engine-socket"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestP23_LaterDecisionsAreLines: exec is decided about, too.
func TestP23_LaterDecisionsAreLines(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	task := start(t, d, testbed.Container{})
	exec(t, task, "true")
	_, err := task.ExecSpec(deadline(t), nil, func(p *specs.Process) { p.Args, p.User.UID = []string{"true"}, 70000 })
	if err == nil {
		t.Fatal("a process of a user that does not exist was started")
	}
	got := decisions(t, d.AuditFile(), task.ID)
	if len(got) != 2 || got[0].Verdict != "allowed" || got[1].Exec == "" {
		t.Fatalf("got %+v", got)
	}
	want := decision{
		Namespace: d.Namespace, Container: task.ID, Action: "exec", Verdict: "denied", Rule: "user-ids", Field: "process.user.uid",
		Reason: "user 70000 does not exist in the container, which has the IDs 0 to 65535",
	}
	if diff := cmp.Diff(want, timeless(got[1])); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestP23_FullDisk: where the log is required, nothing passes unseen.
func TestP23_FullDisk(t *testing.T) {
	disk := t.TempDir()
	mount(t, "disk", disk, "tmpfs", 0)
	succeed(t, unix.Mount("", disk, "", unix.MS_REMOUNT, "size=64k,mode=700"))
	log := filepath.Join(disk, "eci", "audit.log")
	d := freshBed(t, testbed.Options{Config: fmt.Sprintf("audit.file = %q\naudit.required = true", log)})
	run(t, d, testbed.Container{ID: "before"})

	fill := filepath.Join(disk, "fill")
	f, err := os.Create(fill)
	succeed(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	succeed(t, f.Close())
	leaveRoom(t, log, 40) // for part of a line
	refused(t, d, testbed.Container{}, "write the audit log", "short write")
	marker := filepath.Join(t.TempDir(), "marker")
	succeed(t, os.Mkdir(marker, 0o755))
	unseen := testbed.Container{ID: "unseen", Args: []string{"touch", "/mnt/ran"}, Mounts: []specs.Mount{testbed.Bind(marker, "/mnt")}}
	refused(t, d, unseen, "write the audit log", "no space left on device")
	if _, err := os.Stat(marker + "/ran"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was started all the same: %v", err)
	}

	put(t, d, "conf.d/10.toml", "audit.required = false")
	run(t, d, unseen)
	if got := decisions(t, whole(t, log), "unseen"); len(got) != 0 {
		t.Errorf("there was room after all: %+v", got)
	}
	if !strings.Contains(d.Log(), "a decision is not in the audit log") {
		t.Error("the shim's log does not say that a decision is missing")
	}

	succeed(t, os.Remove(filepath.Join(d.Dir, "conf.d/10.toml")), os.Remove(fill))
	run(t, d, testbed.Container{ID: "after"})
	for _, id := range []string{"before", "after"} {
		if got := decisions(t, whole(t, log), id); len(got) != 1 || got[0].Verdict != "allowed" {
			t.Errorf("%s: %+v", id, got)
		}
	}
}

// leaveRoom fills the last page of a file, but for some bytes, with empty lines.
func leaveRoom(t *testing.T, path string, room int) {
	t.Helper()
	info, err := os.Stat(path)
	succeed(t, err)
	page := os.Getpagesize()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	succeed(t, err)
	_, err = f.Write(bytes.Repeat([]byte("\n"), page-room-int(info.Size())%page))
	succeed(t, err, f.Close())
}

// whole copies a log without the line that a full disk has cut.
func whole(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	succeed(t, err)
	var kept []byte
	for line := range bytes.Lines(data) {
		if json.Valid(line) && bytes.HasSuffix(line, []byte("\n")) {
			kept = append(kept, line...)
		}
	}
	copied := filepath.Join(t.TempDir(), "audit.log")
	succeed(t, os.WriteFile(copied, kept, 0o600))
	return copied
}

// TestP23_LogOfOthers: a log that others can change proves nothing.
func TestP23_LogOfOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	succeed(t, os.Mkdir(dir, 0o777), os.Chmod(dir, 0o777))
	d := freshBed(t, testbed.Options{Config: fmt.Sprintf("audit.file = %q\naudit.required = true", dir+"/audit.log")})
	refused(t, d, testbed.Container{}, "write the audit log", dir+" must belong to root")
	succeed(t, os.Chmod(dir, 0o755))
	run(t, d, testbed.Container{ID: "c"})
	succeed(t, os.Rename(dir+"/audit.log", dir+"/audit.log.1"))
	run(t, d, testbed.Container{ID: "rotated"})
	if got := decisions(t, dir+"/audit.log", "rotated"); len(got) != 1 {
		t.Errorf("after rotation: %+v", got)
	}
	succeed(t, os.Remove(dir+"/audit.log"), os.Symlink(dir+"/audit.log.1", dir+"/audit.log"))
	refused(t, d, testbed.Container{}, "write the audit log")
}
