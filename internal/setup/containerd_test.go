package setup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is a directory with a main file of containerd's.
func place(t *testing.T, major int, main string) Containerd {
	t.Helper()
	dir := t.TempDir()
	c := Containerd{Major: major, Minor: 2, Main: filepath.Join(dir, "config.toml"), DropIn: filepath.Join(dir, "conf.d")}
	if main != "" {
		must(t, os.WriteFile(c.Main, []byte(strings.ReplaceAll(main, "DIR", dir)), 0o640))
	}
	return c
}

var handler = Handler{Name: "eci", Path: "/usr/bin/containerd-shim-eci-v2"}

func TestContainerdPlans(t *testing.T) {
	for name, tt := range map[string]struct {
		major int
		main  string
		want  string // of the main file, after it
		drop  bool
	}{
		"2.x, nothing": {2, "", "version = 3\nimports = [\"DIR/conf.d/*.toml\"]\n", true},
		"2.x, no imports": {
			2, "# mine\nversion = 2\nroot = '/r'\n[grpc]\n  address = 'a'\n",
			"# mine\nversion = 2\nimports = [\"DIR/conf.d/*.toml\"] # by eci install\nroot = '/r'\n[grpc]\n  address = 'a'\n", true,
		},
		"2.x, other imports": {
			2, "version = 3\nimports = [ '/a]/*.toml' ]\n", "version = 3\nimports = [ '/a]/*.toml', \"DIR/conf.d/*.toml\" ]\n", true,
		},
		"2.x, imports over lines": {
			2, "version = 3\nimports = [\n  '/a',\n]\n[x]\n", "version = 3\nimports = [\n  '/a', \"DIR/conf.d/*.toml\",\n]\n[x]\n", true,
		},
		"2.x, no element":      {2, "version = 3\nimports = []\n", "version = 3\nimports = [\"DIR/conf.d/*.toml\"]\n", true},
		"2.x, imports it":      {2, "version = 3\nimports = ['DIR/conf.d/*.toml']\n", "version = 3\nimports = ['DIR/conf.d/*.toml']\n", true},
		"2.x, imports by name": {2, "version = 3\nimports = ['conf.d/5*.toml']\n", "version = 3\nimports = ['conf.d/5*.toml']\n", true},
		"1.7, nothing": {
			1, "", "version = 2\n# BEGIN eci: eci uninstall takes this away\n[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.eci]\n" +
				"runtime_type = 'io.containerd.runc.v2' # whose options it takes\nruntime_path = '/usr/bin/containerd-shim-eci-v2'\n# END eci\n", false,
		},
		"1.7, systemd": {
			1, "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\nSystemdCgroup = true",
			"version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc.options]\nSystemdCgroup = true\n" +
				"# BEGIN eci: eci uninstall takes this away\n[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.eci]\n" +
				"runtime_type = 'io.containerd.runc.v2' # whose options it takes\nruntime_path = '/usr/bin/containerd-shim-eci-v2'\n" +
				"[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.eci.options]\nSystemdCgroup = true\n# END eci\n", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := place(t, tt.major, tt.main)
			dir := filepath.Dir(c.Main)
			record := filepath.Join(dir, "state", "install.json")
			before, _ := os.ReadFile(c.Main)
			edits, note, err := c.Plan(handler)
			if err != nil || note != "" {
				t.Fatal(err, note)
			}
			must(t, Apply(record, "test", edits))
			got, err := os.ReadFile(c.Main)
			if want := strings.ReplaceAll(tt.want, "DIR", dir); err != nil || string(got) != want {
				t.Errorf("%v\n%s\nwant\n%s", err, got, want)
			}
			drop, err := os.ReadFile(filepath.Join(c.DropIn, dropInName))
			if (err == nil) != tt.drop {
				t.Errorf("the drop-in file: %v", err)
			}
			// Two versions together are not understood.
			if old := strings.Contains(tt.main, "version = 2"); tt.drop && (strings.Contains(string(drop), "version = 2") != old || strings.Contains(string(drop), criOld) != old) {
				t.Errorf("the drop-in file of another version:\n%s", drop)
			}
			if info, err := os.Stat(c.Main); err != nil || tt.main != "" && info.Mode() != 0o640 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if again, _, err := c.Plan(handler); err != nil || len(again) != 0 {
				t.Errorf("a second time: %v, %v", again, err)
			}
			must(t, Undo(record))
			after, err := os.ReadFile(c.Main)
			if string(after) != string(before) || (err == nil) != (tt.main != "") {
				t.Errorf("%v\n%s\nwas\n%s", err, after, before)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) > 1 || len(entries) == 1 && tt.main == "" {
				t.Errorf("left: %v, %v", entries, err)
			}
		})
	}
}

func TestContainerdRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		major int
		main  string
		want  error
	}{
		"no TOML":             {2, "version = = 2\n", ErrForm},
		"version 1":           {2, "root = '/r'\n", ErrForm},
		"a comment in it":     {2, "version = 3\nimports = [ # none ]\n]\n", ErrForm},
		"somebody else's":     {2, "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.eci]\n", ErrTaken},
		"somebody else's old": {1, "version = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.eci]\n", ErrTaken},
		"an inline table":     {1, "version = 2\nplugins = {}\n", ErrForm},
	} {
		c := place(t, tt.major, tt.main)
		if edits, _, err := c.Plan(handler); !errors.Is(err, tt.want) || edits != nil || strings.Count(err.Error(), "\n") != 0 {
			t.Errorf("%s: %v, %v", name, edits, err)
		}
	}
	c := place(t, 2, "disabled_plugins = ['cri']\n")
	if edits, note, err := c.Plan(handler); err != nil || edits != nil || note == "" {
		t.Errorf("switched off: %v, %q, %v", edits, note, err)
	}
}

// What others change meanwhile stays; what they change of ours keeps everything as it is.
func TestUndoBesideOthers(t *testing.T) {
	c := place(t, 2, "version = 3\n[grpc]\n")
	dir := filepath.Dir(c.Main)
	record, drop := filepath.Join(dir, "install.json"), filepath.Join(c.DropIn, dropInName)
	install := func() {
		t.Helper()
		edits, _, err := c.Plan(handler)
		must(t, err)
		must(t, Apply(record, "test", edits))
	}
	install()
	data, err := os.ReadFile(c.Main)
	must(t, err)
	must(t, os.WriteFile(c.Main, append(data, "uid = 7\n"...), 0o600))
	must(t, os.WriteFile(filepath.Join(c.DropIn, "99.toml"), nil, 0o600))
	must(t, Undo(record))
	if data, err := os.ReadFile(c.Main); err != nil || string(data) != "version = 3\n[grpc]\nuid = 7\n" {
		t.Errorf("%v, %q", err, data)
	}
	if _, err := os.Stat(filepath.Join(c.DropIn, "99.toml")); err != nil {
		t.Error(err)
	}

	install()
	ours, err := os.ReadFile(drop)
	must(t, err)
	main, err := os.ReadFile(c.Main)
	must(t, err)
	must(t, os.WriteFile(drop, append(ours, "# edited\n"...), 0o600))
	err = Undo(record)
	if !errors.Is(err, ErrEdited) || !strings.Contains(err.Error(), drop) {
		t.Errorf("an edited drop-in: %v", err)
	}
	if now, _ := os.ReadFile(c.Main); string(now) != string(main) {
		t.Errorf("and yet the main file is changed: %s", now)
	}
	must(t, os.WriteFile(drop, ours, 0o600))
	must(t, os.WriteFile(c.Main, []byte(strings.Replace(string(main), "# by eci", "# for eci", 1)), 0o600))
	if err := Undo(record); !errors.Is(err, ErrEdited) {
		t.Errorf("an edited line: %v", err)
	}
	must(t, os.WriteFile(c.Main, main, 0o600))

	// A newer version writes something else; the way back leads through both.
	newer := handler
	newer.Path = "/opt/eci"
	c.Record, err = ReadRecord(record)
	must(t, err)
	edits, _, err := c.Plan(newer)
	if err != nil || len(edits) != 1 {
		t.Fatal(edits, err)
	}
	must(t, Apply(record, "newer", edits))
	must(t, Undo(record))
	if data, err := os.ReadFile(c.Main); err != nil || string(data) != "version = 3\n[grpc]\nuid = 7\n" {
		t.Errorf("%v, %q", err, data)
	}
	if _, err := os.Stat(drop); err == nil {
		t.Error("the drop-in is still there")
	}
}

// Nothing is half written: what fails takes back what was done.
func TestApplyIsAllOrNothing(t *testing.T) {
	c := place(t, 2, "version = 3\n[grpc]\n")
	record := filepath.Join(filepath.Dir(c.Main), "state", "install.json")
	edits, _, err := c.Plan(handler)
	must(t, err)
	must(t, os.WriteFile(c.Main, []byte("version = 3\n"), 0o600)) // the last of them
	if err := Apply(record, "test", edits); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	for _, path := range []string{c.DropIn, record, filepath.Dir(record)} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is there", path)
		}
	}
	// A crash after the record and before the files.
	edits, _, err = c.Plan(handler)
	must(t, err)
	must(t, Record{Format: recordFormat, Edits: edits}.write(record))
	must(t, edits[0].apply())
	must(t, Undo(record))
	if data, err := os.ReadFile(c.Main); err != nil || string(data) != "version = 3\n" {
		t.Errorf("%v, %q", err, data)
	}
	if _, err := os.Lstat(edits[0].Path); err == nil {
		t.Error("the drop-in is still there")
	}
}

func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "daemon.json")
	must(t, os.WriteFile(real, []byte("{}"), 0o600))
	must(t, os.Symlink("real.json", link))
	f, err := ReadFile(link)
	if err != nil || f.Path != real {
		t.Fatal(f, err)
	}
	must(t, Replace(f.Path, []byte("{ }")))
	if to, err := os.Readlink(link); err != nil || to != "real.json" {
		t.Error(to, err)
	}
	must(t, os.Remove(real))
	if _, err := ReadFile(link); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
}
