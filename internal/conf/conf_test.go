package conf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

func TestMain(m *testing.M) { linuxtest.Main(m, nil) }

// tree makes files below a directory and gives their Source.
func tree(t *testing.T, files map[string]string) (string, Source) {
	t.Helper()
	linuxtest.Root(t)
	dir := filepath.Join(t.TempDir(), "eci")
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	return dir, Source{Main: filepath.Join(dir, "config.toml")}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// must fails the test for the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadInOrder(t *testing.T) {
	dir, source := tree(t, map[string]string{
		"config.toml":           "state_dir = '/a'\nrunc = '/a'\n[devices]\nallow = ['/dev/a']\n[mounts]\nrestricted = ['/a']\n",
		"conf.d/10-first.toml":  "runc = '/b'\ndevices.allow = ['/dev/b']\nmounts.restricted = ['/b']\n",
		"conf.d/9-second.toml":  "runc = '/c'\nmounts.except = ['/a']\n",
		"conf.d/.hidden.toml":   "runc = '/hidden'\n",
		"conf.d/note.txt":       "not TOML",
		"images.lock":           "[[image]]\nname = 'docker.io/library/docker:cli'\ndigest = 'sha256:" + strings.Repeat("a", 64) + "'\nchain = 'sha256:" + strings.Repeat("b", 64) + "'\n",
		"unrelated/config.toml": "runc = '/unrelated'\n",
	})
	got, err := source.Load()
	must(t, err)
	want := policy.Default()
	for _, file := range []string{
		"state_dir = '/a'\nrunc = '/a'\n[devices]\nallow = ['/dev/a']\n[mounts]\nrestricted = ['/a']\n",
		"runc = '/b'\ndevices.allow = ['/dev/b']\nmounts.restricted = ['/b']\n",
		"runc = '/c'\nmounts.except = ['/a']\n",
	} {
		want, err = policy.ParseOver(want, "f", []byte(file))
		must(t, err)
	}
	want.Sockets.Pins = []policy.Pin{{Name: "docker.io/library/docker:cli", Digest: "sha256:" + strings.Repeat("a", 64), Chain: "sha256:" + strings.Repeat("b", 64)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.Runc != "/c" || got.StateDir != "/a" {
		t.Errorf("runc %q, state_dir %q", got.Runc, got.StateDir)
	}

	// The same through another root.
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	again, err := Source{Root: root, Main: "/config.toml"}.Load()
	must(t, err)
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("through a root: -want +got:\n%s", diff)
	}
}

func TestLoadWithoutFiles(t *testing.T) {
	dir, _ := tree(t, nil)
	must(t, os.MkdirAll(dir, 0o755))
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	t.Setenv(Env, "")
	got, err := Source{Root: root}.Load()
	if diff := cmp.Diff(policy.Default(), got); err != nil || diff != "" {
		t.Errorf("without /etc/eci: %v, -want +got:\n%s", err, diff)
	}
	write(t, filepath.Join(dir, "etc/eci/conf.d/a.toml"), "runc = '/a'")
	if got, err = (Source{Root: root}).Load(); err != nil || got.Runc != "/a" {
		t.Errorf("conf.d alone: %q, %v", got.Runc, err)
	}
	t.Setenv(Env, "/etc/eci/config.toml")
	if got, err = (Source{Root: root}).Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that was named and is missing: %+v, %v", got, err)
	}
	t.Setenv(Env, "etc/eci/config.toml")
	if _, err = (Source{Root: root}).Load(); err == nil || !strings.Contains(err.Error(), "not an absolute path") {
		t.Errorf("a relative path: %v", err)
	}
}

func TestLoadTrustsRootOnly(t *testing.T) {
	files := map[string]string{"config.toml": "runc = '/a'", "conf.d/a.toml": "", "images.lock": ""}
	for _, c := range []struct {
		name   string
		change func(t *testing.T, dir string)
		err    string // empty: none
	}{
		{"as it should be", func(*testing.T, string) {}, ""},
		{"file of another user", chown("config.toml"), "config.toml must belong to root"},
		{"file writable by the group", chmod("config.toml", 0o664), "config.toml must belong to root"},
		{"file writable by all", chmod("config.toml", 0o646), "config.toml must belong to root"},
		{"drop-in of another user", chown("conf.d/a.toml"), "a.toml must belong to root"},
		{"drop-in writable by the group", chmod("conf.d/a.toml", 0o664), "a.toml must belong to root"},
		{"pins writable by all", chmod("images.lock", 0o666), "images.lock must belong to root"},
		{"directory of another user", chown("."), "eci must belong to root"},
		{"directory writable by the group", chmod(".", 0o775), "eci must belong to root"},
		{"directory writable by all, sticky", chmod(".", 0o777|os.ModeSticky), "eci must belong to root"},
		{"conf.d of another user", chown("conf.d"), "conf.d must belong to root"},
		{"conf.d writable by the group", chmod("conf.d", 0o775), "conf.d must belong to root"},
		{"conf.d writable by all, sticky", chmod("conf.d", 0o777|os.ModeSticky), "conf.d must belong to root"},
		{"empty conf.d writable by all", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/conf.d/a.toml"))
			chmod("conf.d", 0o777)(t, dir)
		}, "conf.d must belong to root"},
		{"a directory above of another user", func(t *testing.T, dir string) { chown("..")(t, dir) }, "must belong to root"},
		{"a link of root's", link("/real.toml", 0), ""},
		{"a relative link of root's", link("../eci/x/../real.toml", 0), ""},
		{"a link of somebody's", link("/real.toml", 1000), "is a symbolic link and must belong to root"},
		{"a link that leads nowhere", link("/gone.toml", 0), "a symbolic link that leads nowhere"},
		{"a link to itself", link("/config.toml", 0), "too many levels of symbolic links"},
		{"a link to a file of somebody's", func(t *testing.T, dir string) {
			link("/real.toml", 0)(t, dir)
			chown("real.toml")(t, dir)
		}, "real.toml must belong to root"},
		{"a link into a directory of somebody's", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"/his", 0o755), os.Rename(dir+"/config.toml", dir+"/his/config.toml"), os.Symlink("his/config.toml", dir+"/config.toml"))
			chown("his")(t, dir)
		}, "his must belong to root"},
		{"conf.d is a link", func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/conf.d", dir+"/real"), os.Symlink("real", dir+"/conf.d"))
		}, ""},
		{"conf.d is a link that leads nowhere", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir+"/conf.d"), os.Symlink("gone", dir+"/conf.d"))
		}, "leads nowhere"},
		{"conf.d is a file", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir+"/conf.d"), os.WriteFile(dir+"/conf.d", nil, 0o600))
		}, "not a directory"},
		{"a FIFO", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/config.toml"), unix.Mkfifo(dir+"/config.toml", 0o600))
		}, "config.toml is not a file"},
		{"a directory for a file", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"/conf.d/b.toml", 0o755))
		}, "b.toml is not a file"},
		{"too large", func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/config.toml", make([]byte, maxSize+1), 0o600))
		}, "config.toml is larger than 1048576 bytes"},
		{"an unknown key in a drop-in", func(t *testing.T, dir string) {
			must(t, os.WriteFile(dir+"/conf.d/a.toml", []byte("\nrunk = '/a'"), 0o600))
		}, `conf.d/a.toml:2: "runk" is not a known key`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, source := tree(t, files)
			c.change(t, dir)
			cfg, err := source.Load()
			if c.err == "" {
				if err != nil || cfg.Runc != "/a" {
					t.Errorf("got %q, %v", cfg.Runc, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %v\nwant %s", err, c.err)
			}
			if diff := cmp.Diff(policy.Config{}, cfg); diff != "" {
				t.Errorf("an error comes with a configuration: %s", diff)
			}
		})
	}
}

func chown(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { must(t, os.Chown(filepath.Join(dir, name), 1000, 0)) }
}

func chmod(name string, mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, name), mode)) }
}

// link makes the main file a symbolic link; a target that begins with a slash is
// below the directory.
func link(target string, owner int) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		must(t, os.Mkdir(dir+"/x", 0o755), os.Rename(dir+"/config.toml", dir+"/real.toml"))
		if strings.HasPrefix(target, "/") {
			target = dir + target
		}
		must(t, os.Symlink(target, dir+"/config.toml"), os.Lchown(dir+"/config.toml", owner, 0))
	}
}

func TestChoose(t *testing.T) {
	dir, source := tree(t, map[string]string{"other.toml": "devices.allow = []", "sub/more.toml": "state_dir = '/mine'"})
	write(t, source.Main, "policies = ['"+dir+"/other.toml', '"+dir+"/sub/more.toml', '"+dir+"/gone.toml']")
	for _, c := range []struct{ name, chosen, err string }{
		{"none", "", ""},
		{"listed", dir + "/other.toml", ""},
		{"not listed", dir + "/config.toml", "not in policies"},
		{"another spelling", dir + "//other.toml", "not in policies"},
		{"listed and missing", dir + "/gone.toml", "no such file"},
		{"sets what is the same for all", dir + "/sub/more.toml", "more.toml:1: state_dir: it is the same for all containers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, err := source.Load()
			must(t, err)
			cfg, err := source.Choose(base, c.chosen)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("got %v, want %q", err, c.err)
			}
			if c.chosen == dir+"/other.toml" && len(cfg.Devices.Allow) != 0 {
				t.Errorf("devices.allow is %q", cfg.Devices.Allow)
			}
		})
	}
	must(t, os.Chmod(dir+"/other.toml", 0o666))
	base, err := source.Load()
	must(t, err)
	if _, err := source.Choose(base, dir+"/other.toml"); err == nil || !strings.Contains(err.Error(), "must belong to root") {
		t.Errorf("a listed file that others write: %v", err)
	}
}

// BenchmarkLoad is what every Create pays.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	for name, text := range map[string]string{"config.toml": "state_dir = '/run/eci'\n[mounts]\nrestricted = ['/srv/secret']\n", "images.lock": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	source := Source{Main: filepath.Join(dir, "config.toml")}
	for b.Loop() {
		if _, err := source.Load(); err != nil {
			b.Fatal(err)
		}
	}
}
