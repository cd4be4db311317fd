package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eci-runtime/eci/policy"
)

func TestParse(t *testing.T) {
	t.Parallel()
	with := func(change func(*policy.Config)) policy.Config {
		cfg := policy.Default()
		change(&cfg)
		return cfg
	}
	for _, tt := range []struct {
		name, file string
		want       policy.Config
	}{
		{"nothing", "", policy.Default()},
		{"comment", "# nothing\n", policy.Default()},
		{"empty tables", "[ids]\n[devices]\n", policy.Default()},
		{"no devices", "devices.allow = []", with(func(c *policy.Config) { c.Devices.Allow = []string{} })},
		{"inline table", "ids = { base = 65536, size = 100000 }", with(func(c *policy.Config) { c.IDs.Base, c.IDs.Size = 65536, 100000 })},
		{"paths", "state_dir = '/var/lib/eci'\nrunc = '/opt/runc'\n", with(func(c *policy.Config) { c.StateDir, c.Runc = "/var/lib/eci", "/opt/runc" })},
		{"one range only", "[ids]\nbase = 100000\nend = 165535", with(func(c *policy.Config) { c.IDs.End = 165535 })},
		{"the last range", "[ids]\nbase = 4294901759\nend = 4294967294", with(func(c *policy.Config) { c.IDs.Base, c.IDs.End = 4294901759, 4294967294 })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := policy.Parse("f.toml", []byte(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, want string
	}{
		{"no TOML", "state_dir", "f.toml:1: "},
		{"key twice", "runc = '/a'\nrunc = '/b'", "f.toml:2: "},
		{"unknown key", "\nrunk = '/a'", `f.toml:2: "runk" is not a known key`},
		{"unknown table", "[ids]\nbase = 100000\n\n[devises]\nallow = []", `f.toml:4: "devises" is not a known key`},
		{"unknown key in a table", "[ids]\nbase = 100000\nsiez = 1", `f.toml:3: "ids.siez" is not a known key`},
		{"unknown key in an inline table", "\nids = { siez = 1 }", `f.toml:2: "ids.siez" is not a known key`},
		{"upper case", "State_Dir = '/a'", `f.toml:1: "State_Dir" is not a known key`},
		{"key with a dot in it", `"ids.base".x = 1`, `f.toml:1: `},
		{"wrong type", "\n[ids]\nbase = '100000'", "f.toml:3: ids.base: "},
		{"wrong type of an element", "[devices]\nallow = [\n 1 ]", "f.toml:3: devices.allow"},
		{"table for a string", "[runc]\nx = 1", "f.toml:1: "},
		{"negative", "[ids]\nbase = -1", "f.toml:2: ids.base: "},
		{"more than 32 bits", "[ids]\nend = 4294967296", "f.toml:2: ids.end: "},
		{"relative directory", "\nstate_dir = 'run/eci'", `f.toml:2: state_dir: "run/eci" is not an absolute path`},
		{"empty directory", "state_dir = ''", `f.toml:1: state_dir: "" is not an absolute path`},
		{"unclean directory", "state_dir = '/run/../eci'", `f.toml:1: state_dir: "/run/../eci" is not a clean path: write "/eci"`},
		{"root directory", "state_dir = '/'", `f.toml:1: state_dir: "/" is not a place of our own`},
		{"null byte", "state_dir = \"/run\\u0000\"", `f.toml:1: state_dir: "/run\x00" holds a null byte`},
		{"relative runc", "runc = 'runc'", `f.toml:1: runc: "runc" is not an absolute path`},
		{"base 0", "[ids]\nbase = 0", "f.toml:2: ids.base: 0 is below 65536, where the host's own users live"},
		{"base of people", "[ids]\nbase = 65535", "f.toml:2: ids.base: 65535 is below 65536, where the host's own users live"},
		{"size", "[ids]\nsize = 65535", "f.toml:2: ids.size: 65535 is below 65536, the number of IDs that images count on"},
		{"end that is no ID", "[ids]\nend = 4294967295", "f.toml:2: ids.end: 4294967295 is above 4294967294, the highest ID that exists"},
		{"end before one range", "[ids]\nend = 165534", "f.toml:2: ids.end: 165534 leaves no room for one range: base 100000 and size 65536 need 165535"},
		{"overflow by base", "[ids]\n\nbase = 4294967000", "f.toml:3: ids.end: 2147483647 leaves no room for one range: base 4294967000 and size 65536 need 4295032535"},
		{"pattern elsewhere", "[devices]\nallow = ['/etc/*']", `f.toml:2: devices.allow: [0]: "/etc/*" is not below /dev/`},
		{"relative pattern", "devices.allow = ['/dev/fuse', 'fuse']", `f.toml:1: devices.allow: [1]: "fuse" is not below /dev/`},
		{"pattern that climbs", "devices.allow = ['/dev/../etc/*']", `f.toml:1: devices.allow: [0]: "/dev/../etc/*" is not a clean path: write "/etc/*"`},
		{"pattern that is none", "devices.allow = ['/dev/[a']", `f.toml:1: devices.allow: [0]: "/dev/[a" is not a pattern`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg, err := policy.Parse("f.toml", []byte(tt.file))
			if !errors.Is(err, policy.ErrConfig) {
				t.Fatalf("got %+v, %v", cfg, err)
			}
			if !strings.HasPrefix(err.Error(), "invalid configuration: "+tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %q\nwant %q", err, tt.want)
			}
			if diff := cmp.Diff(policy.Config{}, cfg); diff != "" {
				t.Errorf("an error comes with a configuration: %s", diff)
			}
		})
	}
}

// FuzzParse asserts that a configuration which is let through is one.
func FuzzParse(f *testing.F) {
	f.Add(read(f, "../docs/config.example.toml"))
	f.Add([]byte("ids = { base = 65536, size = 100000 }\ndevices.allow = ['/dev/fuse']"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := policy.Parse("f.toml", data)
		if err != nil {
			if !errors.Is(err, policy.ErrConfig) {
				t.Errorf("the error is none of ours: %v", err)
			}
			return
		}
		last := uint64(cfg.IDs.Base) + uint64(cfg.IDs.Size) - 1
		if cfg.IDs.Base < policy.MinHostID || cfg.IDs.Size < policy.MinSize || last > uint64(cfg.IDs.End) || cfg.IDs.End == 1<<32-1 {
			t.Errorf("the pool is %+v", cfg.IDs)
		}
		for _, p := range append([]string{cfg.StateDir}, cfg.Devices.Allow...) {
			if !strings.HasPrefix(p, "/") || strings.Contains(p, "/../") {
				t.Errorf("the path %q", p)
			}
		}
	})
}
