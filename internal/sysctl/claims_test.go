package sysctl

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestRaise walks through a life of two containers.
func TestRaise(t *testing.T) {
	linuxtest.NoLeak(t)
	f := newFake(t)
	a, b := f.bundle("a"), f.bundle("b")
	for _, step := range []struct {
		name string
		do   func() error
		want int64
	}{
		{"a asks for more", func() error { return f.Raise("fs.nr_open", 300, a) }, 300},
		{"b asks for less than a", func() error { return f.Raise("fs.nr_open", 200, b) }, 300},
		{"a asks for the same again", func() error { return f.Raise("fs.nr_open", 300, a) }, 300},
		{"a asks for less", func() error { return f.Raise("fs.nr_open", 150, a) }, 200},
		{"less than there was", func() error { return f.Raise("fs.nr_open", 7, b) }, 150},
		{"more than the ceiling", func() error { return f.Raise("fs.nr_open", 5000, b) }, 1000},
		{"b goes", func() error { return f.ReleaseOwner(b) }, 150},
		{"a goes", func() error { return f.ReleaseOwner(a) }, 100},
		{"a goes again", func() error { return f.ReleaseOwner(a) }, 100},
		{"without a ceiling", func() error { return f.Raise("net.netfilter.nf_conntrack_max", 500, a) }, 100},
	} {
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		f.want("fs.nr_open", step.want)
		f.want("fs.file-max", 100)
		f.want("net.netfilter.nf_conntrack_max", 100)
		if t.Failed() {
			t.Fatal(step.name)
		}
	}
	f.wantEmpty()
}

// TestOriginal: what the administrator sets meanwhile is what it goes back to, and a ceiling
// below the original value lowers nothing.
func TestOriginal(t *testing.T) {
	f := newFake(t)
	a := f.bundle("a")
	must(t, f.Raise("fs.nr_open", 300, a))
	f.set("fs.nr_open", 250)
	must(t, f.Raise("fs.file-max", 1, a))
	f.want("fs.nr_open", 300)
	must(t, f.ReleaseOwner(a))
	f.want("fs.nr_open", 250)
	f.set("fs.nr_open", 5000)
	must(t, f.Raise("fs.nr_open", 9000, a))
	f.want("fs.nr_open", 5000)
	must(t, f.ReleaseOwner(a))
	f.want("fs.nr_open", 5000)
	f.wantEmpty()
}

// TestSweep: a bundle that is gone asks for nothing.
func TestSweep(t *testing.T) {
	f := newFake(t)
	a, b := f.bundle("a"), f.bundle("b")
	must(t, f.Raise("fs.nr_open", 300, a))
	must(t, f.Raise("fs.file-max", 400, b))
	must(t, os.Remove(a))
	must(t, f.Raise("fs.file-max", 500, b))
	f.want("fs.nr_open", 100)
	f.want("fs.file-max", 500)
	must(t, os.Remove(b))
	must(t, f.Sweep())
	f.want("fs.file-max", 100)
	f.wantEmpty()
}

func TestRefused(t *testing.T) {
	f := newFake(t)
	a := f.bundle("a")
	if err := f.Raise("kernel.core_pattern", 1, a); !errors.Is(err, ErrUnknownNode) {
		t.Error(err)
	}
	if err := f.Raise("fs.nr_open", 300, "a"); err == nil {
		t.Error("a relative owner")
	}
	must(t, os.Remove(f.path("fs.nr_open")))
	if err := f.Raise("fs.nr_open", 300, a); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	must(t, f.Raise("fs.file-max", 300, a))
	must(t, os.Chmod(f.Dir, 0o777))
	if err := f.ReleaseOwner(a); !errors.Is(err, ErrUnsafeDir) {
		t.Error(err)
	}
	must(t, os.Chmod(f.Dir, 0o700))
	f.Exists = func(string) (bool, error) { return false, fs.ErrPermission }
	if err := f.Sweep(); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	f.want("fs.file-max", 300)
}

// TestModuleGone: a setting that goes with its module takes what is known of it along.
func TestModuleGone(t *testing.T) {
	f := newFake(t)
	a := f.bundle("a")
	must(t, f.Raise("fs.nr_open", 300, a))
	must(t, os.Remove(f.path("fs.nr_open")))
	must(t, f.ReleaseOwner(a))
	f.wantEmpty()
}

// TestCrash begins at each moment between two system calls at which a process may have ended.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		name   string
		now    int64
		record string
	}{
		{"written down, not written", 100, "100,100,300"},
		{"written", 300, "100,100,300"},
		{"raised further, not written", 300, "100,300,400"},
		{"lowered, not written", 400, "100,400,300"},
		{"restored, not forgotten", 100, "100,300,100"},
	} {
		f := newFake(t)
		must(t, os.Mkdir(f.Dir, 0o700))
		must(t, os.Symlink(c.record, f.Dir+"/fs.nr_open"))
		must(t, os.Symlink("half", f.Dir+"/next"))
		f.set("fs.nr_open", c.now)
		a := f.bundle("a")
		must(t, f.Raise("fs.nr_open", 350, a))
		f.want("fs.nr_open", 350)
		must(t, f.ReleaseOwner(a))
		f.want("fs.nr_open", 100)
		f.wantEmpty()
		if t.Failed() {
			t.Fatal(c.name)
		}
	}
}

// TestReal: the kernel takes what it had.
func TestReal(t *testing.T) {
	linuxtest.Root(t)
	f := newFake(t)
	f.Proc = "/proc/sys"
	a := f.bundle("a")
	before, err := f.read("fs.nr_open")
	must(t, err)
	f.Ceilings["fs.nr_open"] = before
	must(t, f.Raise("fs.nr_open", before+100, a))
	now, err := f.read("fs.nr_open")
	if err != nil || now != before {
		t.Error(now, err)
	}
	must(t, f.write("fs.nr_open", before))
	must(t, f.ReleaseOwner(a))
	f.want("fs.nr_open", before)
	f.wantEmpty()
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"fs.nr_open:1:1", "fs.nr_open:-1:x", "a:b:c", "1,2,3", "1,2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := parseName(s); ok && (Nodes[c.node] == "" || c.name != s) {
			t.Errorf("%q: %+v", s, c)
		}
		if v, err := parseSetting(s); err == nil {
			if again, err := parseSetting(v.String()); err != nil || again != v {
				t.Errorf("%q: %v, %v", s, again, err)
			}
		}
	})
}
