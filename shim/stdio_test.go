package shim

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckStdio(t *testing.T) {
	dir := t.TempDir()
	pipe, file, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for path, fine := range map[string]bool{
		"": true, pipe: true, "binary:///usr/bin/logger": true,
		file: false, link: false, filepath.Join(dir, "missing"): false, "/dev/null": false,
	} {
		if err := checkStdio("", path, ""); (err == nil) != fine {
			t.Errorf("%q: %v", path, err)
		}
	}
}
