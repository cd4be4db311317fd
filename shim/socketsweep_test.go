package shim

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSweepSockets(t *testing.T) {
	dir := t.TempDir()
	listen := func(name string) *net.UnixListener {
		t.Helper()
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		t.Cleanup(func() { l.Close() })
		return l.(*net.UnixListener)
	}
	old := time.Now().Add(-time.Minute)
	listen("living")
	listen("dead").Close()
	listen("newborn").Close()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"living", "dead", "file"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}

	sweepSockets(dir)

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"file", "living", "newborn"}, names); diff != "" {
		t.Error(diff)
	}
	sweepSockets(filepath.Join(dir, "missing"))
}
