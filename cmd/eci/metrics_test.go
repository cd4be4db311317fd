package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every figure is explained, and the dashboard shows no other ones.
func TestFiguresAreExplained(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	text := "state_dir = '" + dir + "'\n[audit]\nfile = '" + dir + "/audit.log'\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newApp(nil, nil)
	a.config = config
	families, err := a.collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	explained, shown := read("docs/operate.md"), read("deploy/grafana/eci.json")
	var names []string
	for _, f := range families {
		names = append(names, f.Name)
		if !strings.Contains(explained, "`"+f.Name+"`") {
			t.Errorf("docs/operate.md does not explain %s", f.Name)
		}
		if f.Name != strings.ToLower(f.Name) || f.Type == "counter" != strings.HasSuffix(f.Name, "_total") {
			t.Errorf("%s is a %s", f.Name, f.Type)
		}
	}
	used := regexp.MustCompile(`\beci_[a-z_]+`)
	for _, doc := range []string{explained, shown} {
		for _, name := range used.FindAllString(doc, -1) {
			if !slices.Contains(names, name) {
				t.Errorf("%s is no figure", name)
			}
		}
	}
	for _, field := range regexp.MustCompile(`"(ECI_[A-Z_]+)"`).FindAllStringSubmatch(read("internal/audit/journal.go"), -1) {
		if !strings.Contains(explained, "`"+field[1]+"`") {
			t.Errorf("docs/operate.md does not explain the journal's field %s", field[1])
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 1023: "1023", 1024: "1.0K", 102348: "99.9K", 102400: "100K", 1023 << 10: "1.0M", 64 << 20: "64.0M", 1<<64 - 1: "16.0E"} {
		if got := size(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
