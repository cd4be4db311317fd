package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/policy"
)

// fakeDocker answers for images by their full names, each with one layer.
func fakeDocker(t *testing.T, layers map[string]string) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/images/"), "/json")
		layer, ok := layers[name]
		if !ok {
			http.Error(w, `{"message":"no such image"}`, http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"Id":"sha256:%064d","RepoDigests":["other@sha256:%064d","docker@sha256:%064d"],"RootFS":{"Type":"layers","Layers":[%q]}}`, 1, 2, 3, layer)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}

func layerOf(n int) string { return fmt.Sprintf("sha256:%064d", n) }

func TestPin(t *testing.T) {
	layers := map[string]string{"docker.io/library/docker:cli": layerOf(7), "example.com/built:1": layerOf(8)}
	socket := fakeDocker(t, layers)
	config := filepath.Join(t.TempDir(), "eci", "config.toml") // its directory is made
	lock := filepath.Join(filepath.Dir(config), "images.lock")
	pin := func(want int, args ...string) (out, errs string) {
		t.Helper()
		out, errs, code := call(t, append([]string{"policy", "pin", "--config", config, "--address", "/nonexistent", "--docker-socket", socket}, args...)...)
		if code != want {
			t.Fatalf("%q: exit status %d: %s", args, code, errs)
		}
		return out, errs
	}
	pins := func() []policy.Pin {
		t.Helper()
		data, err := os.ReadFile(lock)
		if err != nil {
			t.Fatal(err)
		}
		found, err := policy.ParsePins(lock, data)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}

	if out, _ := pin(exitOK, "docker:cli"); !strings.Contains(out, "docker.io/library/docker:cli\n  digest  "+layerOf(3)) {
		t.Errorf("it says %q", out)
	}
	pin(exitOK, "example.com/built:1")
	if got := pins(); len(got) != 2 || got[0].Chain != layerOf(7) || got[1] != (policy.Pin{Name: "example.com/built:1", Digest: layerOf(1), Chain: layerOf(8)}) {
		t.Errorf("pinned: %+v", got)
	}

	layers["docker.io/library/docker:cli"] = layerOf(9)
	pin(exitOK, "--add", "docker.io/library/docker:cli")
	pin(exitOK, "--add", "docker:cli") // again: nothing new
	if got := pins(); len(got) != 3 {
		t.Errorf("with another one: %+v", got)
	}
	pin(exitOK, "docker:cli")
	if got := pins(); len(got) != 2 || got[0].Chain != layerOf(9) {
		t.Errorf("in place of the others: %+v", got)
	}
	pin(exitOK, "--remove", "docker:cli")
	if out, _ := pin(exitOK, "--list"); strings.Contains(out, "docker:cli") || !strings.Contains(out, "example.com/built:1") {
		t.Errorf("the list is %q", out)
	}

	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"missing:1"}, "docker.io/library/missing:1 is not there: looked in docker"},
		{[]string{"--remove", "missing:1"}, "is not pinned"},
		{[]string{"--docker-socket", "/nonexistent", "docker:cli"}, "there is no engine to ask"},
		{[]string{"Not A Name"}, "is no name of an image"},
		{[]string{}, "name images, or use --list"},
	} {
		if _, errs := pin(exitError, tt.args...); !strings.Contains(errs, tt.want) {
			t.Errorf("%q: %s", tt.args, errs)
		}
	}
	if info, err := os.Stat(lock); err != nil || info.Mode() != 0o644 {
		t.Errorf("the lock file: %v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(lock), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
