package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

func TestMain(m *testing.M) { linuxtest.Main(m, nil) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file makes a file, with the directories above it.
func file(t testing.TB, path string) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(path), 0o600))
	return path
}

func dir(t testing.TB, path string) string {
	t.Helper()
	must(t, os.MkdirAll(path, 0o755))
	return path
}

// mount mounts something until the test ends.
func mount(t testing.TB, source, target, fstype string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
}

func bind(t testing.TB, source, target string) {
	t.Helper()
	mount(t, source, target, "", unix.MS_BIND, "")
}

// here is a view of the tests' own namespace.
func here(t testing.TB) *View {
	t.Helper()
	linuxtest.Root(t)
	v, err := Here()
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

// specOf is a spec with recursive binds of the sources.
func specOf(sources ...string) *specs.Spec {
	spec := &specs.Spec{Linux: &specs.Linux{}}
	for _, source := range sources {
		spec.Mounts = append(spec.Mounts, specs.Mount{Type: "bind", Source: source, Destination: "/mnt", Options: []string{"rbind"}})
	}
	return spec
}

// config restricts some paths, and nothing else.
func config(t testing.TB, paths ...string) policy.Config {
	cfg := policy.Config{StateDir: "/run/eci"}
	for _, p := range paths {
		cfg.Mounts.Rules = append(cfg.Mounts.Rules, policy.PathRule{Path: p, Access: policy.Restricted})
	}
	return cfg
}

// look observes one source.
func look(t testing.TB, v *View, cfg policy.Config, source string) (policy.Source, policy.Facts) {
	t.Helper()
	facts, opened, err := Observe(v, cfg, Request{Bundle: "/run/state/ns/id", Spec: specOf(source)})
	must(t, err)
	opened.Close()
	return facts.Sources[0], facts
}

func rootAt(path string) *specs.Root { return &specs.Root{Path: path} }
