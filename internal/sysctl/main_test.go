package sysctl

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestMain(m *testing.M) {
	linuxtest.Main(m, map[string]func([]string) error{"churn": childChurn})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fake is a /proc/sys in a directory, with bundles and claims beside it.
type fake struct {
	testing.TB
	Claims
	dir string
}

func newFake(t testing.TB) *fake {
	t.Helper()
	dir := t.TempDir()
	for _, path := range Nodes {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, "sys", path)), 0o755))
	}
	f := &fake{t, Claims{
		Dir:      filepath.Join(dir, "claims"),
		Proc:     filepath.Join(dir, "sys"),
		Ceilings: map[string]int64{"fs.file-max": 1000, "fs.nr_open": 1000},
	}, dir}
	for node := range Nodes {
		f.set(node, 100)
	}
	return f
}

func (f *fake) set(node string, value int64) {
	f.Helper()
	must(f, os.WriteFile(f.path(node), []byte(strconv.FormatInt(value, 10)+"\n"), 0o644))
}

func (f *fake) want(node string, value int64) {
	f.Helper()
	text, err := os.ReadFile(f.path(node))
	// Nothing is truncated: of a longer number, as the kernel, only the first line counts.
	line, _, _ := strings.Cut(string(text), "\n")
	if err != nil || line != strconv.FormatInt(value, 10) {
		f.Errorf("%s is %q, %v; want %d", node, text, err, value)
	}
}

// bundle makes a bundle.
func (f *fake) bundle(name string) string {
	f.Helper()
	path := filepath.Join(f.dir, name)
	must(f, os.MkdirAll(path, 0o755))
	return path
}

// wantEmpty asks for a directory of claims without any.
func (f *fake) wantEmpty() {
	f.Helper()
	left, err := os.ReadDir(f.Dir)
	if err != nil || len(left) != 0 {
		f.Errorf("left: %v, %v", left, err)
	}
}
