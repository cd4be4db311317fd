package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eci-runtime/eci/internal/audit"
)

// logLine is a line of the log about a container.
func logLine(id, verdict string, at time.Time) string {
	return fmt.Sprintf(`{"time":%q,"namespace":"default","container":%q,"action":"create","verdict":%q,"rule":"hook","reason":"because\u001b[31m"}`+"\n",
		at.UTC().Format(time.RFC3339Nano), id, verdict)
}

func TestAuditReadsRotatedFiles(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	put := func(name, text string, age time.Duration) {
		t.Helper()
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			w := gzip.NewWriter(f)
			_, err = w.Write([]byte(text))
			w.Close()
		} else {
			_, err = f.WriteString(text)
		}
		f.Close()
		if err == nil {
			err = os.Chtimes(path, now.Add(-age), now.Add(-age))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("audit.log", logLine("new", "denied", now)+"\n"+`{"time":"2024-01-02T03:0`+logLine("glued", "denied", now)+`{"time":"2024-01-02T`, 0)
	put("audit.log.1", logLine("yesterday", "allowed", now.Add(-24*time.Hour)), 24*time.Hour)
	put("audit.log-20240102.gz", logLine("old", "denied", now.Add(-72*time.Hour)), 72*time.Hour)
	put("audit.logic", "unrelated", 0)
	file := filepath.Join(dir, "audit.log")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "old yesterday new glued"},
		{[]string{"--since", "48h"}, "yesterday new glued"},
		{[]string{"--since", now.Add(-time.Minute).Format(time.RFC3339)}, "new glued"},
		{[]string{"--denied"}, "old new glued"},
		{[]string{"--container", "y"}, "yesterday"},
		{[]string{"--rule", "structure"}, ""},
	} {
		out, errs, code := call(t, append([]string{"audit", "--json", "--file", file}, c.args...)...)
		var got []string
		for line := range strings.Lines(out) {
			l, err := audit.Decode([]byte(line))
			if err != nil || !json.Valid([]byte(line)) {
				t.Errorf("%q: %v", line, err)
			}
			got = append(got, l.Container)
		}
		if code != 0 || strings.Join(got, " ") != c.want || errs != "eci: 1 lines could not be read\n" {
			t.Errorf("eci audit %q: exit status %d, %q, %q", c.args, code, got, errs)
		}
	}
	out, _, _ := call(t, "audit", "--file", file, "--container", "new")
	if want := "  denied   default/new  create\n                     because·[31m (rule hook)\n"; !strings.HasSuffix(out, want) {
		t.Errorf("got %q, want …%q", out, want)
	}
	if out, errs, code := call(t, "audit", "--file", filepath.Join(dir, "none")); code != 0 || out+errs != "" {
		t.Errorf("without a log: exit status %d, %q, %q", code, out, errs)
	}
}

// What is added is seen, also after the log was rotated, and half a line is waited for.
func TestAuditFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := make(chan string)
	done := make(chan error)
	go func() {
		broken, err := readLogs(ctx, path, time.Time{}, true, func(_ []byte, l audit.Line) { seen <- l.Container })
		if err == nil && broken > 0 {
			err = fmt.Errorf("%d broken lines", broken)
		}
		done <- err
	}()
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	next := func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("no %q", want)
		}
	}
	add(logLine("first", "denied", time.Now()))
	next("first")
	second := logLine("second", "denied", time.Now())
	add(second[:20])
	add(second[20:])
	next("second")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	add(logLine("third", "denied", time.Now()))
	next("third")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestParseSince(t *testing.T) {
	now := time.Date(2024, 1, 2, 3, 4, 5, 0, time.Local)
	for text, want := range map[string]time.Time{
		"": {}, "1h": now.Add(-time.Hour), "0s": now, "2024-01-01": time.Date(2024, 1, 1, 0, 0, 0, 0, time.Local),
		"2024-01-01 10:00:00": time.Date(2024, 1, 1, 10, 0, 0, 0, time.Local), "2024-01-01T10:00:00Z": time.Date(2024, 1, 1, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1h", "yesterday", "1 h"} {
		if got, err := parseSince(text, now); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestStartOf(t *testing.T) {
	start := startOf(os.Getpid())
	if start == nil || time.Since(*start) < 0 || time.Since(*start) > time.Hour {
		t.Errorf("this process was started at %v", start)
	}
	for d, want := range map[time.Duration]string{5 * time.Second: "5s", 90 * time.Second: "1m", 25 * time.Hour: "25h", 72 * time.Hour: "3d"} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
