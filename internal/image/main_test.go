package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestMain(m *testing.M) { linuxtest.Main(m, nil) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file, and the directories above it.
func write(t *testing.T, content string, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(content), 0o600))
}

// dirs makes directories below a place and gives their paths.
func dirs(t *testing.T, place string, names ...string) []string {
	t.Helper()
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(place, name)
		must(t, os.MkdirAll(paths[i], 0o755))
	}
	return paths
}

// mountOverlay mounts an overlay at a new directory, with names that are relative to
// another one, as engines do that have many layers.
func mountOverlay(t *testing.T, in, at string, lowers []string, upper, work string) {
	t.Helper()
	linuxtest.Root(t)
	must(t, os.MkdirAll(at, 0o755))
	t.Chdir(in)
	data := "lowerdir=" + strings.Join(lowers, ":")
	if upper != "" {
		data += ",upperdir=" + upper + ",workdir=" + work
	}
	must(t, unix.Mount("overlay", at, "overlay", 0, data))
	t.Cleanup(func() { must(t, unix.Unmount(at, unix.MNT_DETACH)) })
}
