package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eci-runtime/eci/policy"
)

func TestEngineOf(t *testing.T) {
	dir := t.TempDir()
	bundle := filepath.Join(dir, "state/io.containerd.runtime.v2.task/default/id")
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		t.Fatal(err)
	}
	want := Engine{State: dir + "/state", Socket: "/run/c.sock"}
	if got := EngineOf(bundle, "/run/c.sock"); got != want {
		t.Errorf("without a link: %+v, want %+v", got, want)
	}
	if err := os.Symlink(dir+"/root/io.containerd.runtime.v2.task/default/id", bundle+"/work"); err != nil {
		t.Fatal(err)
	}
	want.Root = dir + "/root"
	e := EngineOf(bundle, "/run/c.sock")
	if e != want {
		t.Errorf("with it: %+v, want %+v", e, want)
	}
	if diff := cmp.Diff([]string{dir + "/root", dir + "/state", "/run"}, e.Own()); diff != "" {
		t.Error(diff)
	}
	if got := EngineOf("/somewhere/else/id", ""); got != (Engine{}) || got.Own() != nil {
		t.Errorf("of another bundle: %+v", got)
	}
	cfg := e.In(policy.Default())
	for _, path := range []string{dir + "/root", dir + "/state", dir + "/root/io.containerd.snapshotter.v1.*/snapshots/*/fs"} {
		found := false
		for _, r := range cfg.Mounts.Rules {
			found = found || r.Path == path
		}
		if !found {
			t.Errorf("no rule for %s", path)
		}
	}
}
