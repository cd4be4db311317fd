package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

func TestMain(m *testing.M) { linuxtest.Main(m, nil) }

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

var subject = Subject{Namespace: "k8s.io", Container: "c1", Action: Create, Image: "docker.io/library/busybox:latest", ImageBy: Client}

func refusal(reason string) Line {
	return Denial(subject, "", &policy.Violation{Rule: "host-namespace", Field: "linux.namespaces", Reason: reason, Class: policy.ErrDenied})
}

// fresh is a log in a directory that does not exist yet.
func fresh(t testing.TB) Log {
	t.Helper()
	linuxtest.Root(t)
	return Log{Audit: policy.Audit{File: filepath.Join(t.TempDir(), "log", "audit.log")}}
}

// lines reads a log back.
func lines(t testing.TB, path string) []Line {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var out []Line
	for text := range bytes.Lines(data) {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		l, err := Decode(text)
		must(t, err)
		out = append(out, l)
	}
	return out
}

func TestWrite(t *testing.T) {
	log := fresh(t)
	cfg := policy.Default()
	cfg.Rules = map[string]policy.Mode{"hook": policy.Warn, "rootfs": policy.Off, "device": policy.Enforce}
	found := policy.Finding{Rule: "hook", Field: "hooks.prestart[0].path", Reason: "hooks.allow does not have the program \"/x\"", Verdict: policy.Warned}
	before := time.Now()
	must(t,
		log.Write(refusal("no <host>")),
		log.Write(Permission(subject, cfg, policy.Decision{Findings: []policy.Finding{found}})...),
		log.Write(Denial(subject, "runtime-options", errors.New("runtime options ask for x"))),
	)
	got := lines(t, log.File)
	for i, l := range got {
		if l.Time.Before(before) || l.Time.After(time.Now()) || l.Time.Location() != time.UTC {
			t.Errorf("line %d is of %s", i, l.Time)
		}
		got[i].Time = time.Time{}
	}
	want := []Line{
		{Subject: subject, Verdict: policy.Denied, Rule: "host-namespace", Field: "linux.namespaces", Reason: "no <host>"},
		{Subject: subject, Verdict: policy.Allowed, Modes: map[string]policy.Mode{"hook": policy.Warn, "rootfs": policy.Off}},
		{Subject: subject, Verdict: policy.Warned, Rule: "hook", Field: "hooks.prestart[0].path", Reason: found.Reason},
		{Subject: subject, Verdict: policy.Denied, Rule: "runtime-options", Reason: "runtime options ask for x"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for path, mode := range map[string]os.FileMode{log.File: 0o600, filepath.Dir(log.File): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, mode)
		}
	}
}

// What programs read must not change: field names, and one line per object.
func TestFormat(t *testing.T) {
	var b bytes.Buffer
	l := refusal("line\nbreak")
	l.Time = time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC)
	must(t, encode(&b, l))
	const want = `{"time":"2024-01-02T03:04:05.000000006Z","namespace":"k8s.io","container":"c1","action":"create",` +
		`"image":"docker.io/library/busybox:latest","imageBy":"client","verdict":"denied","rule":"host-namespace","field":"linux.namespaces","reason":"line\nbreak"}` + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLongTextIsCut(t *testing.T) {
	log := fresh(t)
	long := refusal(strings.Repeat("ü", maxReason))
	long.Image = strings.Repeat("i", 1<<20)
	must(t, log.Write(long))
	got := lines(t, log.File)
	if n := len(got[0].Reason); n > maxReason+3 || !strings.HasSuffix(got[0].Reason, "ü…") {
		t.Errorf("the reason has %d bytes, and ends with %q", n, got[0].Reason[n-6:])
	}
	if n := len(got[0].Image); n > maxName+3 {
		t.Errorf("the image has %d bytes", n)
	}
}

func TestWriteOnlyWhatIsWanted(t *testing.T) {
	log := fresh(t)
	allowed := Permission(subject, policy.Default(), policy.Decision{})
	log.Denied = true
	must(t, log.Write(allowed...))
	if _, err := os.Stat(log.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log of denials has what was allowed: %v", err)
	}
	must(t, log.Write(refusal("x")))
	if n := len(lines(t, log.File)); n != 1 {
		t.Errorf("%d lines", n)
	}
	must(t, Log{}.Write(refusal("x")))
}

// A full disk takes part of a line, and the next one is whole again.
func TestFullDisk(t *testing.T) {
	linuxtest.Root(t)
	dir := t.TempDir()
	must(t, unix.Mount("audit", dir, "tmpfs", 0, "size=16k,mode=700"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	log := Log{Audit: policy.Audit{File: dir + "/audit.log"}}
	var err error
	written := 0
	for err == nil && written < 1000 {
		if err = log.Write(refusal(strings.Repeat("x", 300))); err == nil {
			written++
		}
	}
	if err == nil || !strings.HasPrefix(err.Error(), "write the audit log: ") || !strings.Contains(err.Error(), log.File) {
		t.Fatalf("after %d lines: %v", written, err)
	}
	if err := log.Write(refusal("again")); err == nil {
		t.Error("a full disk takes a line")
	}
	data, err := os.ReadFile(log.File)
	must(t, err)
	if data[len(data)-1] == '\n' {
		t.Fatal("no line was cut, so this tests nothing")
	}
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT, "size=64k"))
	must(t, log.Write(refusal("after"), refusal("and after")))
	whole, broken := 0, 0
	data, err = os.ReadFile(log.File)
	must(t, err)
	for text := range bytes.Lines(data) {
		if _, err := Decode(text); err != nil {
			broken++
		} else {
			whole++
		}
	}
	if whole != written+2 || broken != 1 {
		t.Errorf("%d whole lines and %d broken ones, want %d and 1", whole, broken, written+2)
	}
}

func TestDecodeFindsALineInAnother(t *testing.T) {
	var b bytes.Buffer
	l := refusal("x")
	l.Time = time.Now().UTC()
	must(t, encode(&b, l))
	got, err := Decode(append([]byte(`{"time":"2024-01-02T03:04:05Z","namesp`), b.Bytes()...))
	if diff := cmp.Diff(l, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, text := range []string{"", "{}", "[]", `{"time":"2024-01-02T03:04:05Z","namesp`, `{"verdict":"denied"}`} {
		if l, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, l)
		}
	}
}

func TestWriteTrustsRootOnly(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, file string)
		err    string
	}{
		{"file of another user", func(t *testing.T, file string) { must(t, os.Chown(file, 1000, 0)) }, "must belong to root"},
		{"file writable by others", func(t *testing.T, file string) { must(t, os.Chmod(file, 0o602)) }, "must belong to root"},
		{"file that others read", func(t *testing.T, file string) { must(t, os.Chmod(file, 0o644)) }, ""},
		{"directory of another user", func(t *testing.T, file string) { must(t, os.Chown(filepath.Dir(file), 1000, 0)) }, "must belong to root"},
		{"directory writable by the group", func(t *testing.T, file string) { must(t, os.Chmod(filepath.Dir(file), 0o770)) }, "must belong to root"},
		{"a symbolic link", func(t *testing.T, file string) { must(t, os.Rename(file, file+".1"), os.Symlink(file+".1", file)) }, "too many levels"},
		{"a FIFO", func(t *testing.T, file string) { must(t, os.Remove(file), unix.Mkfifo(file, 0o600)) }, "something else than expected"},
		{"a directory", func(t *testing.T, file string) { must(t, os.Remove(file), os.Mkdir(file, 0o700)) }, "is a directory"},
		{"a directory that is a file", func(t *testing.T, file string) {
			must(t, os.RemoveAll(filepath.Dir(file)), os.WriteFile(filepath.Dir(file), nil, 0o600))
		}, "not a directory"},
		{"rotated", func(t *testing.T, file string) { must(t, os.Rename(file, file+".1")) }, ""},
		{"removed with its directory", func(t *testing.T, file string) { must(t, os.RemoveAll(filepath.Dir(file))) }, ""},
		{"removed with the one above", func(t *testing.T, file string) { must(t, os.RemoveAll(filepath.Dir(filepath.Dir(file)))) }, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := fresh(t)
			must(t, log.Write(refusal("before")))
			c.change(t, log.File)
			err := log.Write(refusal("after"))
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}

// Through the root of another view of the host.
func TestWriteBelowARoot(t *testing.T) {
	log := fresh(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/var/real", 0o755), os.Symlink("/var/real", dir+"/var/log"))
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	log.Root, log.File = root, "/var/log/eci/audit.log"
	must(t, log.Write(refusal("x")))
	if n := len(lines(t, dir+"/var/real/eci/audit.log")); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// Many shims write at once: nothing is lost or mixed.
func TestWriteTogether(t *testing.T) {
	log := fresh(t)
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := log.Write(refusal(fmt.Sprint(w)), refusal(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(lines(t, log.File)); n != 2*writers*each {
		t.Errorf("%d lines, want %d", n, 2*writers*each)
	}
}

func TestJournal(t *testing.T) {
	linuxtest.Root(t)
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/run/systemd/journal", 0o755))
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	log := Log{Root: root, Audit: policy.Audit{Journal: true}}
	if err := log.Write(refusal("x")); err == nil || !strings.Contains(err.Error(), "/run/systemd/journal/socket") {
		t.Errorf("without a journal: %v", err)
	}
	addr := &net.UnixAddr{Net: "unixgram", Name: fmt.Sprintf("/proc/self/fd/%d/run/systemd/journal/socket", root.Fd())}
	journal, err := net.ListenUnixgram("unixgram", addr)
	must(t, err)
	defer journal.Close()
	must(t, log.Write(refusal("two\nlines"), Permission(subject, policy.Default(), policy.Decision{})[0]))
	buf := make([]byte, 1<<16)
	n, err := journal.Read(buf)
	must(t, err)
	for _, want := range []string{
		"MESSAGE\n;\x00\x00\x00\x00\x00\x00\x00denied create of k8s.io/c1: two\nlines (rule host-namespace)\n", // 59 bytes
		"PRIORITY=4\n", "SYSLOG_IDENTIFIER=eci\n", "ECI_RULE=host-namespace\n", "ECI_VERDICT=denied\n",
		"ECI_REASON\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\n",
	} {
		if !bytes.Contains(buf[:n], []byte(want)) {
			t.Errorf("no %q in %q", want, buf[:n])
		}
	}
	n, err = journal.Read(buf)
	must(t, err)
	if !bytes.Contains(buf[:n], []byte("MESSAGE=allowed create of k8s.io/c1\nPRIORITY=6\n")) {
		t.Errorf("got %q", buf[:n])
	}
}

// FuzzDecode asserts that a line which is read is one, and can be written again.
func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	l := refusal("x")
	l.Time = time.Unix(1, 0).UTC()
	if err := encode(&b, l); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"time":"2024-01-02T03:04:05Z","na{"time":"2024-01-02T03:04:05Z","verdict":"denied"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Decode(text)
		if err != nil {
			return
		}
		if l.Verdict == "" || l.Time.IsZero() {
			t.Errorf("%q is %+v", text, l)
		}
		var b bytes.Buffer
		if err := encode(&b, l); err == nil && (bytes.Count(b.Bytes(), []byte("\n")) != 1 || !json.Valid(b.Bytes())) {
			t.Errorf("%+v is written as %q", l, b.Bytes())
		}
	})
}

// BenchmarkWrite is what every Create pays.
func BenchmarkWrite(b *testing.B) {
	log := fresh(b)
	allowed := Permission(subject, policy.Default(), policy.Decision{})
	for b.Loop() {
		must(b, log.Write(allowed...))
	}
}
