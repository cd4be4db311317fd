package policy_test

import (
	"errors"
	"slices"
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
		{"policies", "policies = ['/etc/eci/gpu.toml']", with(func(c *policy.Config) { c.Policies = []string{"/etc/eci/gpu.toml"} })},
		{"restricted", "[mounts]\nrestricted = ['/srv/b', '/srv/a*']", with(func(c *policy.Config) {
			c.Mounts.Rules = also(c.Mounts.Rules, "restricted", "/srv/a*", "/srv/b")
		})},
		{"what is built in, again", "[mounts]\nrestricted = ['/boot', '/etc/shadow']", policy.Default()},
		{"a built-in rule replaced", "[mounts]\nexcept = ['/boot']", with(func(c *policy.Config) {
			c.Mounts.Rules = also(slices.DeleteFunc(c.Mounts.Rules, func(r policy.PathRule) bool { return r.Path == "/boot" }), "except", "/boot")
		})},
		{"the stricter word in one file", "[mounts]\nrestricted = ['/a']\nexcept = ['/a', '/a/b']\nmasked = ['/a/b']\nlayers = ['/c']", with(func(c *policy.Config) {
			c.Mounts.Rules = also(also(also(c.Mounts.Rules, "layers", "/c"), "masked", "/a/b"), "restricted", "/a")
		})},
		{"read-only paths", "[mounts]\nreadonly = ['/a', '/b', '/c']\nexcept = ['/a']\nlayers = ['/c']\nmasked = ['/b']", with(func(c *policy.Config) {
			c.Mounts.Rules = also(also(c.Mounts.Rules, "readonly", "/a", "/c"), "masked", "/b")
		})},
		{"an empty allow-list", "mounts.only = []", with(func(c *policy.Config) { c.Mounts.Only = []string{} })},
		{"sockets", "[sockets]\nengines = ['/run/x.sock', '/run/docker.sock']\nimages = ['docker.io/library/docker:cli', 'ghcr.io/a/b:*', 'localhost:5000/c@sha256:" + hash + "']\nallow_derived = true\n[sockets.commands]\ntype = 'deny'\nlist = ['push', 'container exec', 'image*']", with(func(c *policy.Config) {
			c.Sockets.Engines = append(c.Sockets.Engines, "/run/x.sock")
			c.Sockets.Images = []string{"docker.io/library/docker:cli", "ghcr.io/a/b:*", "localhost:5000/c@sha256:" + hash}
			c.Sockets.AllowDerived = true
			c.Sockets.Commands = policy.Commands{Type: "deny", List: []string{"push", "container exec", "image*"}}
		})},
		{"namespaces, hooks", "namespaces.require_own = true\nhooks.allow = ['/usr/bin/nvidia-*']", with(func(c *policy.Config) {
			c.Namespaces.RequireOwn, c.Hooks.Allow = true, []string{"/usr/bin/nvidia-*"}
		})},
		{"emulation", "[emulation]\nenabled = false\nmknod = ['fuse', 'null']", with(func(c *policy.Config) { c.Emulation = policy.Emulation{Mknod: []string{"fuse", "null"}} })},
		{"no state of engines", "state.directories = []", with(func(c *policy.Config) { c.State.Directories = []string{} })},
		{"no nodes", "emulation.mknod = []", with(func(c *policy.Config) { c.Emulation.Mknod = []string{} })},
		{"ceilings", "[sysctl.ceilings]\n'fs.file-max' = 0\n\"net.netfilter.nf_conntrack_max\" = 9223372036854775807", with(func(c *policy.Config) {
			c.Sysctl.Ceilings["fs.file-max"], c.Sysctl.Ceilings["net.netfilter.nf_conntrack_max"] = 0, 1<<63-1
		})},
		{"ceilings in one line", "sysctl = { ceilings = { 'fs.nr_open' = 5 } }", with(func(c *policy.Config) { c.Sysctl.Ceilings["fs.nr_open"] = 5 })},
		{"rules", "[rules]\nhost-namespace = 'warn'\nhook = 'off'\nrootfs = 'enforce'\nmapping = 'enforce'", with(func(c *policy.Config) {
			c.Rules = map[string]policy.Mode{"host-namespace": policy.Warn, "hook": policy.Off, "rootfs": policy.Enforce, "mapping": policy.Enforce}
		})},
		{"audit", "[audit]\nfile = ''\njournal = true\nrequired = true\nlog = 'denied'", with(func(c *policy.Config) {
			c.Audit = policy.Audit{Journal: true, Required: true, Denied: true}
		})},
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

// also adds rules behind the others of their access.
func also(rules []policy.PathRule, access policy.Access, paths ...string) []policy.PathRule {
	for _, p := range paths {
		at := len(rules)
		for rules[at-1].Access != access {
			at--
		}
		rules = slices.Insert(rules, at, policy.PathRule{Path: p, Access: access})
	}
	return rules
}

// hash is the digest of something.
var hash = strings.Repeat("0123456789abcdef", 4)

// TestParseOver: what a second file does to the first.
func TestParseOver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, first, second string
		want                string // one file that means the same
	}{
		{
			"lists that take away add up", "mounts.restricted = ['/a']\nsockets.engines = ['/a.sock']", "mounts.restricted = ['/b']\nmounts.masked = ['/c']\nmounts.readonly = ['/d']\nsockets.engines = ['/b.sock']",
			"mounts.restricted = ['/a', '/b']\nmounts.masked = ['/c']\nmounts.readonly = ['/d']\nsockets.engines = ['/a.sock', '/b.sock']",
		},
		{"the later file wins for a path", "mounts.restricted = ['/a']", "mounts.except = ['/a']", "mounts.except = ['/a']"},
		{"and back", "mounts.except = ['/boot']", "mounts.restricted = ['/boot']", ""},
		{"whatever the order, the same", "mounts.restricted = ['/b']\nmounts.except = ['/d']", "mounts.restricted = ['/a']\nmounts.except = ['/c']", "mounts.restricted = ['/a', '/b']\nmounts.except = ['/c', '/d']"},
		{
			"lists that give are replaced", "mounts.only = ['/a']\nsockets.images = ['docker.io/library/a:1']\ndevices.allow = ['/dev/a']\nrunc_roots = ['/a']\npolicies = ['/a']\nhooks.allow = ['/a']",
			"mounts.only = ['/b']\nsockets.images = []\ndevices.allow = ['/dev/b']\nrunc_roots = ['/b']\npolicies = ['/b']\nhooks.allow = []",
			"mounts.only = ['/b']\nsockets.images = []\ndevices.allow = ['/dev/b']\nrunc_roots = ['/b']\npolicies = ['/b']\nhooks.allow = []",
		},
		{"denied commands add up", "sockets.commands = { type = 'deny', list = ['push'] }", "sockets.commands = { type = 'deny', list = ['build'] }", "sockets.commands = { type = 'deny', list = ['push', 'build'] }"},
		{"allowed commands are replaced", "sockets.commands = { type = 'allow', list = ['push'] }", "sockets.commands = { list = ['ps'] }", "sockets.commands = { type = 'allow', list = ['ps'] }"},
		{"a list of the other type does not stay", "sockets.commands = { type = 'deny', list = ['push'] }", "sockets.commands = { type = 'allow' }", "sockets.commands = { type = 'allow' }"},
		{"modes are laid over each other", "rules = { hook = 'off', rootfs = 'off' }", "rules = { hook = 'enforce' }", "rules = { hook = 'enforce', rootfs = 'off' }"},
		{"ceilings are laid over each other", "[sysctl.ceilings]\n'fs.file-max' = 1\n'fs.nr_open' = 2", "[sysctl.ceilings]\n'fs.nr_open' = 3", "[sysctl.ceilings]\n'fs.file-max' = 1\n'fs.nr_open' = 3"},
		{"state of engines is replaced", "state.directories = ['/a/b', '/c']", "state.directories = ['/d']", "state.directories = ['/d']"},
		{"nodes are replaced", "emulation = { enabled = false, mknod = ['null'] }", "emulation.mknod = ['fuse']", "emulation = { enabled = false, mknod = ['fuse'] }"},
		{"what is not written stays", "state_dir = '/a'\naudit.required = true\nids.base = 200000", "runc = '/b'", "state_dir = '/a'\naudit.required = true\nrunc = '/b'\nids.base = 200000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			first, err := policy.Parse("first.toml", []byte(tt.first))
			if err != nil {
				t.Fatal(err)
			}
			before := policy.Format(first)
			got, err := policy.ParseOver(first, "second.toml", []byte(tt.second))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(before), string(policy.Format(first))); diff != "" {
				t.Errorf("the first was changed:\n%s", diff)
			}
			want, err := policy.Parse("want.toml", []byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestParseChosen: a file that clients choose decides about their containers only.
func TestParseChosen(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"state_dir = '/a'", "runc = '/a'", "runc_roots = []", "policies = []", "ids.base = 200000", "[ids]", "audit.file = ''", "[audit]"} {
		_, err := policy.ParseChosen(policy.Default(), "f.toml", []byte("\n"+key))
		name := strings.FieldsFunc(key, func(r rune) bool { return strings.ContainsRune("[] =", r) })[0]
		if want := "f.toml:2: " + name + ": it is the same for all containers"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", key, err, want)
		}
	}
	cfg, err := policy.ParseChosen(policy.Default(), "f.toml", []byte("devices.allow = []\nmounts.except = ['/boot']\nrules.hook = 'off'"))
	if err != nil || len(cfg.Devices.Allow) != 0 || cfg.Rules["hook"] != policy.Off {
		t.Errorf("got %+v, %v", cfg.Rules, err)
	}
}

func TestParsePins(t *testing.T) {
	t.Parallel()
	const name = "docker.io/library/docker:cli"
	good := policy.Pin{Name: name, Digest: "sha256:" + hash, Chain: "sha256:" + hash}
	pins := []policy.Pin{good, {Name: "ghcr.io/a/b_c/d:1.0", Digest: good.Digest, Chain: good.Chain}}
	got, err := policy.ParsePins("images.lock", policy.FormatPins(pins))
	if diff := cmp.Diff(pins, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if got, err := policy.ParsePins("images.lock", []byte("# none\n")); err != nil || got != nil {
		t.Errorf("an empty file: %v, %v", got, err)
	}
	for _, tt := range []struct {
		name, file, want string
	}{
		{"unknown key", "[[image]]\nnmae = 'x'", `images.lock:2: "image[0].nmae" is not a known key`},
		{"key of the configuration", "runc = '/a'", `images.lock:1: "runc" is not a known key`},
		{"table", "[image]\nname = 'x'", "images.lock:1: image"},
		{"no name", "[[image]]\ndigest = 'sha256:" + hash + "'", `images.lock:1: image[0].name: "" is not the full name`},
		{"short name", "[[image]]\nname = 'docker:cli'", `images.lock:2: image[0].name: "docker:cli" is not the full name`},
		{"all tags", "[[image]]\nname = 'docker.io/library/docker:*'", "images.lock:2: image[0].name: "},
		{"no chain", string(policy.FormatPins(pins[:1])) + "[[image]]\nname = '" + name + "'\ndigest = 'sha256:" + hash + "'\n", `images.lock:5: image[1].chain: "" is not sha256:`},
		{"digest of another kind", "[[image]]\nname = '" + name + "'\n\ndigest = 'sha512:" + hash + "'\n", `images.lock:4: image[0].digest: `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pins, err := policy.ParsePins("images.lock", []byte(tt.file))
			if pins != nil || !errors.Is(err, policy.ErrConfig) || !strings.HasPrefix(err.Error(), "invalid configuration: "+tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v, %v\nwant %q", pins, err, tt.want)
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
		{"root directory", "state_dir = '/'", `f.toml:1: state_dir: "/" is everything`},
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
		{"policy that climbs", "policies = ['/etc/eci/../x.toml']", `f.toml:1: policies: [0]: "/etc/eci/../x.toml" is not a clean path: write "/etc/x.toml"`},
		{"relative mount", "[mounts]\nrestricted = ['/a', 'b']", `f.toml:2: mounts.restricted: [1]: "b" is not an absolute path`},
		{"everything restricted", "[mounts]\nrestricted = ['/']", `f.toml:2: mounts.restricted: [0]: "/" is everything`},
		{"unclean exception", "[mounts]\nexcept = ['/a/']", `f.toml:2: mounts.except: [0]: "/a/" is not a clean path: write "/a"`},
		{"mask that is no pattern", "[mounts]\nmasked = ['/a[']", `f.toml:2: mounts.masked: [0]: "/a[" is not a pattern`},
		{"layers that are relative", "[mounts]\nlayers = ['a']", `f.toml:2: mounts.layers: [0]: "a" is not an absolute path`},
		{"only one that is relative", "[mounts]\nonly = ['a']", `f.toml:2: mounts.only: [0]: "a" is not an absolute path`},
		{"string for a list", "[mounts]\nrestricted = '/a'", "f.toml:2: mounts.restricted"},
		{"unknown access", "[mounts]\nwritable = ['/a']", `f.toml:2: "mounts.writable" is not a known key`},
		{"read-only that is relative", "[mounts]\nreadonly = ['a']", `f.toml:2: mounts.readonly: [0]: "a" is not an absolute path`},
		{"relative socket", "[sockets]\nengines = ['docker.sock']", `f.toml:2: sockets.engines: [`},
		{"image without a registry", "[sockets]\nimages = ['docker:cli']", `f.toml:2: sockets.images: [0]: "docker:cli" is not a full name: write "docker.io/library/docker:cli"`},
		{"image of Docker Hub", "[sockets]\nimages = ['a/b:1']", `f.toml:2: sockets.images: [0]: "a/b:1" is not a full name: write "docker.io/a/b:1"`},
		{"image without a tag", "[sockets]\nimages = ['docker.io/library/docker']", `f.toml:2: sockets.images: [0]: "docker.io/library/docker" is not the full name`},
		{"image with tag and digest", "[sockets]\nimages = ['docker.io/library/docker:cli@sha256:" + hash + "']", `f.toml:2: sockets.images: [0]: `},
		{"image with a star elsewhere", "[sockets]\nimages = ['docker.io/*/docker:cli']", `f.toml:2: sockets.images: [0]: `},
		{"image with a short digest", "[sockets]\nimages = ['docker.io/library/docker@sha256:abc']", `f.toml:2: sockets.images: [0]: `},
		{"image with upper case", "[sockets]\nimages = ['docker.io/Library/docker:cli']", `f.toml:2: sockets.images: [0]: `},
		{"commands without a type", "[sockets.commands]\nlist = ['push']", `f.toml:2: sockets.commands.type: the list needs a type`},
		{"commands of another type", "[sockets.commands]\ntype = 'refuse'", `f.toml:2: sockets.commands.type: "refuse" is neither`},
		{"command that is none", "[sockets.commands]\ntype = 'deny'\nlist = ['/build']", `f.toml:3: sockets.commands.list: [0]: "/build" is no`},
		{"relative hook", "hooks.allow = ['nvidia']", `f.toml:1: hooks.allow: [0]: "nvidia" is not an absolute path`},
		{"state in the system", "[state]\ndirectories = ['/var/lib/docker', '/usr/lib/docker']", `f.toml:2: state.directories: [1]: "/usr/lib/docker" is in "/usr", which belongs to the system`},
		{"state with much else", "state.directories = ['/var/lib']", `f.toml:1: state.directories: [0]: "/var/lib" holds more than the state of an engine`},
		{"state everywhere", "state.directories = ['/']", `f.toml:1: state.directories: [0]: "/" is everything`},
		{"state somewhere", "state.directories = ['docker']", `f.toml:1: state.directories: [0]: "docker" is not an absolute path`},
		{"state that climbs", "state.directories = ['/var/lib/../docker']", `f.toml:1: state.directories: [0]: "/var/lib/../docker" is not a clean path: write "/var/docker"`},
		{"node of no harmless device", "[emulation]\nmknod = ['null', 'sda']", `f.toml:2: emulation.mknod: [1]: "sda" is none of the devices`},
		{"node by its path", "emulation.mknod = ['/dev/null']", `f.toml:1: emulation.mknod: [0]: "/dev/null" is none of the devices`},
		{"node by its numbers", "emulation.mknod = ['c 1:3']", `f.toml:1: emulation.mknod: [0]: "c 1:3" is none of the devices`},
		{"emulation by a word", "emulation.enabled = 'no'", `f.toml:1: emulation.enabled`},
		{"ceiling of another setting", "[sysctl.ceilings]\n'kernel.pid_max' = 1", `f.toml:2: "sysctl.ceilings.kernel.pid_max" is not a known key`},
		{"ceiling without quotes", "[sysctl.ceilings]\nfs.file-max = 1", `f.toml:2: sysctl.ceilings`},
		{"ceiling below 0", "[sysctl.ceilings]\n'fs.nr_open' = 1\n'fs.file-max' = -1", `f.toml:3: sysctl.ceilings.fs.file-max: -1 is below 0`},
		{"ceiling that is too large", "[sysctl.ceilings]\n'fs.nr_open' = 9223372036854775808", `f.toml:2: `},
		{"ceilings in slashes", "[sysctl.ceilings]\n'fs/nr_open' = 1", `f.toml:2: "sysctl.ceilings.fs/nr_open" is not a known key`},
		{"rule that is none", "[rules]\nhook = 'warn'\nhooks = 'warn'", `f.toml:3: rules.hooks: there is no rule of this name; those with a mode are host-namespace`},
		{"rule that is fixed", "[rules]\nmapping = 'off'", `f.toml:2: rules.mapping: the rule is always enforced: isolation is made of it`},
		{"rule in capitals", "[rules]\nHook = 'off'", `f.toml:2: rules.Hook: there is no rule of this name`},
		{"mode that is none", "[rules]\nhook = 'on'", `f.toml:2: rules.hook: "on" is none of`},
		{"mode that is empty", "[rules]\nhook = ''", `f.toml:2: rules.hook: "" is none of`},
		{"mode that is no word", "[rules]\nhook = true", `f.toml:2: rules.hook`},
		{"table in rules", "[rules.hook]\nmode = 'off'", `f.toml:1: `},
		{"relative log", "[audit]\nfile = 'audit.log'", `f.toml:2: audit.file: "audit.log" is not an absolute path`},
		{"log of something else", "[audit]\nlog = 'none'", `f.toml:2: audit.log`},
		{"required and nowhere to write", "[audit]\nfile = ''\nrequired = true", `f.toml:3: audit.required: there is neither a file nor a journal to write to`},
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

// FuzzParse asserts that a configuration which is let through is one, and that it is
// the same when it is printed and read again.
func FuzzParse(f *testing.F) {
	f.Add(read(f, "../docs/config.example.toml"), []byte("mounts = { except = ['/boot'], only = ['/srv'] }"))
	f.Add([]byte("ids = { base = 65536, size = 100000 }\ndevices.allow = ['/dev/fuse']"), []byte("[sockets.commands]\ntype = 'deny'\nlist = ['push']"))
	f.Add([]byte("[rules]\nhook = 'warn'\n[hooks]\nallow = []"), []byte("[rules]\nhook = 'enforce'\n[audit]\nlog = 'denied'"))
	f.Add([]byte("emulation.mknod = ['null']\n[sysctl.ceilings]\n'fs.file-max' = 0"), []byte("emulation.enabled = false\nsysctl.ceilings.'fs.nr_open' = 7"))
	f.Add([]byte("mounts.restricted = [\"/a\\u0001\\\"\\\\b\"]"), []byte("mounts.masked = ['/boot', '/a/*/c']\nmounts.layers = ['/boot/x']\nmounts.readonly = ['/boot', '/usr/lib', '/b']"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		cfg, err := policy.Parse("first.toml", first)
		if err == nil {
			cfg, err = policy.ParseOver(cfg, "second.toml", second)
		}
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
		for _, p := range slices.Concat([]string{cfg.StateDir}, cfg.Devices.Allow, cfg.Places(), cfg.Policies, cfg.Hooks.Allow) {
			if !strings.HasPrefix(p, "/") || strings.Contains(p, "/../") {
				t.Errorf("the path %q", p)
			}
		}
		seen := map[string]bool{}
		for _, r := range cfg.Mounts.Rules {
			if seen[r.Path] {
				t.Errorf("%s has two rules", r.Path)
			}
			seen[r.Path] = true
		}
		for name, mode := range cfg.Rules {
			if mode != policy.Enforce && !slices.Contains(policy.Switchable(), name) {
				t.Errorf("rule %s is %q", name, mode)
			}
		}
		for name, ceiling := range cfg.Sysctl.Ceilings {
			if ceiling < 0 || !slices.Contains(policy.Raisable(), name) {
				t.Errorf("%s may be raised to %d", name, ceiling)
			}
		}
		text := policy.Format(cfg)
		again, err := policy.Parse("printed.toml", text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if diff := cmp.Diff(cfg, again); diff != "" {
			t.Errorf("-first +printed and read again:\n%s", diff)
		}
	})
}
