package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/policy"
)

// call runs the program.
func call(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), newApp(&out, &errs), args)
	return out.String(), errs.String(), code
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every command says what it is for, and those for people show how to call it.
func TestCommandsAreExplained(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short text %q", c.CommandPath(), c.Short)
		}
		if !c.Hidden && c.HasParent() && !c.HasSubCommands() && c.Name() != "version" && (c.Long == "" || c.Example == "") {
			t.Errorf("%s lacks a text or an example", c.CommandPath())
		}
		for _, text := range []string{c.Long, c.Example} {
			for line := range strings.Lines(text) {
				if width(strings.TrimRight(line, "\n")) > 90 {
					t.Errorf("%s: a line is too long: %q", c.CommandPath(), line)
				}
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(newApp(nil, nil)))
}

func TestErrorsAreOneLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.toml")
	for _, args := range [][]string{
		{"no-such-command"},
		{"check", "too many"},
		{"ps", "--no-such-flag"},
		{"policy", "lint", missing},
		{"policy", "show", missing},
		{"--config", missing, "policy", "show"},
		{"--config", missing, "ps"},
		{"--config", "relative.toml", "ps"},
		{"--color", "blue", "policy", "show"},
		{"audit", "--since", "soon"},
		{"audit", "--rule", "none"},
	} {
		out, errs, code := call(t, args...)
		if code != exitError || !strings.HasPrefix(errs, "eci: ") || strings.Count(errs, "\n") != 1 || out != "" {
			t.Errorf("eci %q: exit status %d, %q, %q", args, code, out, errs)
		}
	}
}

func TestVersion(t *testing.T) {
	if out, _, code := call(t, "version"); code != 0 || !strings.HasPrefix(out, "eci "+version+" (go") {
		t.Errorf("exit status %d, %q", code, out)
	}
	var v struct{ Version string }
	out, _, _ := call(t, "version", "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Version != version {
		t.Errorf("%v, %q", err, out)
	}
}

func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if _, errs, code := call(t, "man", dir); code != 0 {
		t.Fatal(errs)
	}
	for page, part := range map[string]string{"eci.8": "enhanced", "eci-explain.8": "rule by rule", "eci-policy-lint.8": "exit status"} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !bytes.Contains(bytes.ToLower(text), []byte(part)) {
			t.Errorf("%s: %v, no %q in\n%s", page, err, part, text)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "eci-broker.8")); err == nil {
		t.Error("a hidden command has a page")
	}
}

func TestShow(t *testing.T) {
	file := write(t, "config.toml", "[rules]\nhook = 'warn'\n")
	out, errs, code := call(t, "policy", "show", "--effective", file)
	if code != 0 {
		t.Fatal(errs)
	}
	cfg, err := policy.Parse("shown.toml", []byte(out))
	if err != nil || cfg.Rules["hook"] != policy.Warn {
		t.Errorf("%v, %v", cfg.Rules, err)
	}
	out, _, _ = call(t, "policy", "show", "--json", file)
	var v struct {
		Rules  map[string]string
		Mounts struct{ Restricted []string }
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Rules["hook"] != "warn" || len(v.Mounts.Restricted) < 10 {
		t.Errorf("%v, %+v", err, v)
	}
	if out, _, _ := call(t, "policy", "show", file); !strings.HasSuffix(out, "config.toml\n[rules]\nhook = 'warn'\n") {
		t.Errorf("got %q", out)
	}
}
