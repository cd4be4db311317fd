package policy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

var update = flag.Bool("update", false, "write what comes out into testdata/*/want.*")

// A case is a directory: spec.json; policy.toml, absent for the defaults; images.lock,
// absent for none; facts.json, absent for a kernel with time namespaces and nothing
// else; want.json or want.err. So a new case needs no Go.
func TestGolden(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/*/spec.json")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, spec := range dirs {
		dir := filepath.Dir(spec)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			golden(t, dir)
		})
	}
}

// TestEveryRuleIsGolden keeps a refusal for every rule among the cases.
func TestEveryRuleIsGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/want.err")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		all.Write(read(t, f))
	}
	for _, rule := range policy.Rules() {
		if !strings.Contains(all.String(), "(rule "+rule+", field ") {
			t.Errorf("no case breaks the rule %s", rule)
		}
	}
}

// seen is facts.json: the facts, and what is known of the staged rootfs.
type seen struct {
	policy.Facts
	Targets []string `json:"targets"`
}

// outcome is want.json.
type outcome struct {
	Decision   policy.Decision    `json:"decision"`
	Placements []policy.Placement `json:"placements"`
	Spec       *specs.Spec        `json:"spec"`
}

func golden(t *testing.T, dir string) {
	t.Helper()
	facts := seen{Facts: policy.Facts{TimeNamespace: true}}
	if name := filepath.Join(dir, "facts.json"); exists(name) {
		decode(t, read(t, name), &facts)
	}
	spec := new(specs.Spec)
	decode(t, read(t, filepath.Join(dir, "spec.json")), spec)

	cfg, err := configOf(t, dir)
	if err == nil {
		cfg, err = policy.Tighten(cfg, spec.Annotations)
	}
	var decision policy.Decision
	if err == nil {
		decision, err = policy.Check(cfg, facts.Facts, spec)
	}
	if err != nil {
		check(t, dir, "want.err", []byte(err.Error()+"\n"))
		return
	}
	places := policy.Place(decision, spec.Mounts, facts.Targets)
	grant := grantFor(cfg, decision, places)
	if err := policy.Rewrite(spec, decision, places, grant, facts.Facts); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(outcome{decision, places, spec}); err != nil {
		t.Fatal(err)
	}
	check(t, dir, "want.json", out.Bytes())
}

// configOf reads the configuration of a case.
func configOf(t *testing.T, dir string) (cfg policy.Config, err error) {
	t.Helper()
	cfg = policy.Default()
	if name := filepath.Join(dir, "policy.toml"); exists(name) {
		if cfg, err = policy.Parse("policy.toml", read(t, name)); err != nil {
			return cfg, err
		}
	}
	if name := filepath.Join(dir, "images.lock"); exists(name) {
		cfg.Sockets.Pins, err = policy.ParsePins("images.lock", read(t, name))
	}
	return cfg, err
}

// grantFor acquires what was decided, in thought.
func grantFor(cfg policy.Config, d policy.Decision, places []policy.Placement) policy.Grant {
	g := policy.Grant{Base: cfg.IDs.Base, Size: d.Size, Root: "/run/eci/stage/c/rootfs", Dev: "/run/eci/stage/c/dev", Volumes: map[int]string{}, Namespaces: map[int]string{}}
	switch {
	case d.Join != nil:
		g.Base = d.Join.Mapping.HostID
	case d.Mapping != nil:
		g.Base = d.Mapping.HostID
	}
	if d.UserNS != 0 {
		g.UserNS = "/proc/4711/fd/20"
	}
	if len(d.Intercepts) > 0 {
		g.Listener = "/run/eci/stage/c/agent"
	}
	for _, i := range d.Joins {
		g.Namespaces[i] = "/proc/4711/fd/" + strconv.Itoa(10+i)
	}
	for i, p := range places {
		if p == policy.Cloned {
			g.Volumes[i] = "/run/eci/stage/c/vol/" + strconv.Itoa(i)
		}
	}
	return g
}

func check(t *testing.T, dir, name string, got []byte) {
	t.Helper()
	if *update {
		for _, other := range []string{"want.err", "want.json"} {
			_ = os.Remove(filepath.Join(dir, other))
		}
		if err := os.WriteFile(filepath.Join(dir, name), got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !exists(filepath.Join(dir, name)) {
		t.Fatalf("there is no %s, but this came out:\n%s", name, got)
	}
	if diff := cmp.Diff(string(read(t, filepath.Join(dir, name))), string(got)); diff != "" {
		t.Errorf("not as in %s (-want +got):\n%s", name, diff)
	}
}

// decode refuses keys that it does not know: a typing error in a case would
// otherwise test nothing.
func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
