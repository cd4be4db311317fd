package linux

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestXattr(t *testing.T) {
	t.Parallel()
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const name = "user.eci"
	for _, want := range []bool{false, true} {
		if has, err := HasXattr(f, name); has != want || err != nil {
			t.Errorf("HasXattr: %v, %v; want %v", has, err, want)
		}
		if err := SetXattr(f, name, ""); err != nil {
			t.Error(err)
		}
	}
	proc, err := os.Open("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	if has, err := HasXattr(proc, name); has || err != nil {
		t.Errorf("on a file system that has none: %v, %v", has, err)
	}
}

// TestTouch: times stay, whatever the file is, and no link is followed.
func TestTouch(t *testing.T) {
	t.Parallel()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	path := filepath.Join(dir.Name(), "link")
	if err := os.Symlink("nowhere", path); err != nil {
		t.Fatal(err)
	}
	var before, after unix.Stat_t
	if err := unix.Lstat(path, &before); err != nil {
		t.Fatal(err)
	}
	for before.Ctim == after.Ctim || after.Ino == 0 {
		if err := Touch(dir, "link"); err != nil {
			t.Fatal(err)
		}
		if err := unix.Lstat(path, &after); err != nil {
			t.Fatal(err)
		}
	}
	if before.Mtim != after.Mtim || before.Atim != after.Atim {
		t.Errorf("times are %v, %v; were %v, %v", after.Atim, after.Mtim, before.Atim, before.Mtim)
	}
	if err := Touch(dir, "nothing"); !os.IsNotExist(err) {
		t.Errorf("of nothing: %v", err)
	}
}
