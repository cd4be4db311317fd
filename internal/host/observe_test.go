package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

// TestNamesOfSources opens the same file by names that have nothing in common.
func TestNamesOfSources(t *testing.T) {
	linuxtest.NoLeak(t)
	v := here(t)
	root := linuxtest.Dir(t)
	secret := file(t, root+"/restricted/sub/secret")
	must(t, os.Symlink(root+"/restricted", root+"/link"))
	must(t, os.Symlink("link/sub/secret", root+"/link2"))
	for _, alias := range []string{"/alias", "/parent", "/onfile", "/deep/er"} {
		dir(t, root+alias)
	}
	must(t, os.Remove(root+"/onfile"))
	file(t, root+"/onfile")
	bind(t, root+"/restricted/sub", root+"/alias")
	bind(t, root, root+"/parent")
	bind(t, secret, root+"/onfile")
	bind(t, root+"/alias", root+"/deep/er")
	for _, name := range []string{
		"/restricted/sub/secret", "/link/sub/secret", "/link2", "/restricted/../restricted/sub/./secret",
		"/alias/secret", "/parent/restricted/sub/secret", "/onfile", "/deep/er/secret",
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := look(t, v, config(t), root+name)
			if s.Kind != policy.KindFile || s.Why != "" || s.Inode == 0 || s.FileSystem == "" {
				t.Errorf("%+v", s)
			}
			for _, want := range []string{
				"/restricted/sub/secret", "/alias/secret", "/parent/restricted/sub/secret", "/onfile", "/deep/er/secret",
			} {
				if !slices.Contains(s.Paths, root+want) {
					t.Errorf("%s is missing in %q", root+want, s.Paths)
				}
			}
			if len(s.Paths) != 5 {
				t.Errorf("too many names: %q", s.Paths)
			}
		})
	}
	t.Run("a directory holds", func(t *testing.T) {
		s, _ := look(t, v, config(t), root+"/restricted")
		if !slices.ContainsFunc(s.Below, func(m policy.Submount) bool {
			return m.Part && slices.Equal(m.Paths, []string{root + "/restricted/sub", root + "/alias"})
		}) {
			t.Errorf("%+v", s.Below)
		}
	})
	t.Run("mounts come along", func(t *testing.T) {
		s, _ := look(t, v, config(t), root)
		if !slices.ContainsFunc(s.Below, func(m policy.Submount) bool {
			return !m.Part && m.Paths[0] == root+"/alias" && slices.Contains(m.Paths, root+"/restricted/sub")
		}) {
			t.Errorf("%+v", s.Below)
		}
		spec := specOf(root)
		spec.Mounts[0].Options = []string{"bind"}
		facts, opened, err := Observe(v, config(t), Request{Bundle: "/run/state/ns/id", Spec: spec})
		must(t, err)
		opened.Close()
		for _, m := range facts.Sources[0].Below {
			if !m.Part {
				t.Errorf("a bind that is not recursive takes along %+v", m)
			}
		}
	})
}

// TestSourcesThatCannotBeLookedAt has a sentence for each.
func TestSourcesThatCannotBeLookedAt(t *testing.T) {
	linuxtest.NoLeak(t)
	v := here(t)
	root := linuxtest.Dir(t)
	must(t, os.Symlink("loop", root+"/loop"))
	file(t, root+"/gone (deleted)")
	for name, want := range map[string]string{
		"/proc/self/root/etc":                 "it leads through a magic link of /proc, which means another thing to each process",
		"/proc/self/cwd":                      "it leads through a magic link of /proc, which means another thing to each process",
		"/proc/thread-self/exe":               "it leads through a magic link of /proc, which means another thing to each process",
		root + "/loop":                        "it cannot be opened: too many levels of symbolic links",
		root + "/" + strings.Repeat("x", 300): "it cannot be opened: file name too long",
		root + "/none":                        "",
		root + "/loop/none":                   "it cannot be opened: too many levels of symbolic links",
		"/dev/null/x":                         "",
		root + "/gone (deleted)":              "",
		"/proc/self/../self/limits":           "",
	} {
		s, _ := look(t, v, config(t), name)
		if s.Why != want {
			t.Errorf("%s: %q, want %q", name, s.Why, want)
		}
	}
	// One that loses its name while it is open.
	o := &observer{view: v, names: newResolver(v.root), opened: &Opened{parts: make(map[*idmap.Source]map[part]bool)}}
	for name, remove := range map[string]func(string){
		root + "/a": func(p string) { must(t, os.Remove(p)) },
		root + "/b": func(p string) { must(t, os.Remove(p)); file(t, p) },
		root + "/c": func(p string) { must(t, os.Remove(p)); file(t, p+" (deleted)") },
		root + "/d": func(p string) { must(t, os.Remove(p)); must(t, os.Symlink("/etc", p+" (deleted)")) },
	} {
		source, _ := o.open(file(t, name))
		remove(name)
		var err error
		o.table, err = v.table()
		must(t, err)
		s, err := o.describe(source, true, steadily)
		must(t, err)
		must(t, source.Close())
		if s.Why != "it was removed, or unmounted, while it was looked at" || s.Kind != "" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestKernelFileSystems are known by their type, wherever they are mounted.
func TestKernelFileSystems(t *testing.T) {
	v := here(t)
	root := linuxtest.Dir(t)
	mount(t, "p", dir(t, root+"/host/p"), "proc", 0, "")
	if s, _ := look(t, v, config(t), root+"/host/p/sys"); s.FileSystem != "proc" {
		t.Errorf("%+v", s)
	}
	s, _ := look(t, v, config(t), root+"/host")
	if len(s.Below) != 1 || s.Below[0].FileSystem != "proc" {
		t.Errorf("%+v", s)
	}
}

func TestOverlays(t *testing.T) {
	linuxtest.NoLeak(t)
	v := here(t)
	root := linuxtest.Tmpfs(t)
	lower, odd, up := dir(t, root+"/lower"), dir(t, root+"/od:d,\\"), dir(t, root+"/up/x/..")+"/"
	dir(t, lower+"/sub")
	dir(t, odd+"/sub")
	merged, alias := dir(t, root+"/merged"), dir(t, root+"/alias")
	must(t, os.MkdirAll(root+"/users/own", 0o755))
	must(t, os.Chown(root+"/users", 1000, 1000))
	must(t, os.Symlink(dir(t, root+"/elsewhere"), root+"/link"))
	bind(t, lower, alias)
	cfg := config(t, root+"/restricted") // so no container can write to root

	escaped := strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(odd)
	mount(t, "o", merged, "overlay", 0, "lowerdir="+alias+":"+escaped+",upperdir="+root+"/up,workdir="+dir(t, root+"/work"))
	s, _ := look(t, v, cfg, merged+"/sub")
	if s.FileSystem != "overlay" || len(s.Layers) != 3 {
		t.Fatalf("%+v", s)
	}
	for i, want := range [][]string{{alias + "/sub", lower + "/sub"}, {odd + "/sub"}, {root + "/up/sub", merged + "/sub"}} {
		for _, name := range want {
			if !slices.Contains(s.Layers[i], name) {
				t.Errorf("layer %d lacks %s: %q", i, name, s.Layers[i])
			}
		}
	}
	if s, _ := look(t, v, cfg, up+"x"); !slices.Contains(s.Paths, merged+"/x") {
		t.Errorf("a file in the upper layer is not known by the overlay's name: %q", s.Paths)
	}

	dir(t, root+"/container/own")
	for name, options := range map[string]string{
		"in a container's directory": "lowerdir=" + root + "/container/own:" + lower,
		"through a link":             "lowerdir=" + root + "/link:" + lower,
		"in a user's directory":      "lowerdir=" + root + "/users/own:" + lower,
	} {
		at := dir(t, root+"/m")
		mount(t, "o", at, "overlay", 0, options)
		s, _ := look(t, v, cfg, at)
		if len(s.Layers) != 2 || !slices.Equal(s.Layers[0], []string{unknownLayer}) {
			t.Errorf("%s: %q", name, s.Layers)
		}
		must(t, unix.Unmount(at, 0))
	}
	t.Run("relative", func(t *testing.T) {
		at := dir(t, root+"/m")
		must(t, linux.OnThread(func() error {
			if err := unix.Chdir(root); err != nil {
				return err
			}
			return unix.Mount("o", at, "overlay", 0, "lowerdir=lower:users/own")
		}))
		defer func() { must(t, unix.Unmount(at, 0)) }()
		s, _ := look(t, v, cfg, at)
		if len(s.Layers) != 2 || s.Layers[0][0] != unknownLayer {
			t.Errorf("as a volume: %q", s.Layers)
		}
		spec := specOf()
		spec.Root = rootAt(at)
		facts, opened, err := Observe(v, cfg, Request{Bundle: "/run/state/ns/id", Spec: spec})
		must(t, err)
		opened.Close()
		if len(facts.Layers) != 1 || len(facts.Layers[0].Layers) != 2 || !slices.Contains(facts.Layers[0].Layers[0], lower) {
			t.Errorf("as a root file system: %+v", facts.Layers)
		}
	})
}

func TestLayers(t *testing.T) {
	linuxtest.NoLeak(t)
	v := here(t)
	root := linuxtest.Dir(t)
	for _, name := range []string{"/1/fs", "/2/fs", "/2/work", "/plain/etc", "/state/ns/id/rootfs"} {
		dir(t, root+name)
	}
	bind(t, root+"/1", dir(t, root+"/alias"))
	for name, r := range map[string]Request{
		"overlay": {Rootfs: []idmap.Mount{{Type: "overlay", Options: []string{
			"index=off", "lowerdir=" + root + "/alias/fs", "upperdir=" + root + "/2/fs", "workdir=" + root + "/2/work",
		}}}},
		"bind":                   {Rootfs: []idmap.Mount{{Type: "bind", Source: root + "/plain", Options: []string{"ro", "rbind"}}}},
		"directory of the spec":  {},
		"its own, empty":         {},
		"of a type that is none": {Rootfs: []idmap.Mount{{Type: "ext4", Source: "/dev/vda"}}},
	} {
		r.Spec, r.Bundle = specOf(), root+"/state/ns/id"
		r.Spec.Root = rootAt(root + "/plain")
		if name == "its own, empty" {
			r.Spec.Root = rootAt("rootfs")
		}
		facts, opened, err := Observe(v, config(t), r)
		must(t, err)
		var got []string
		for _, l := range facts.Layers {
			if l.Own != "" || l.Why != "" || l.Kind != policy.KindDir {
				t.Errorf("%s: %+v", name, l)
			}
			if opened.Layers[l.Path] == nil {
				t.Errorf("%s: %s is not open", name, l.Path)
			}
			got = append(got, strings.ReplaceAll(strings.Join(l.Paths, "="), root, ""))
		}
		opened.Close()
		want := map[string]string{
			"overlay": "/alias/fs=/1/fs /2/fs /2/work", "bind": "/plain", "directory of the spec": "/plain",
		}[name]
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", name, got, want)
		}
	}
}

// TestOwn looks at the runtime's own directories by other names.
func TestOwn(t *testing.T) {
	linuxtest.NoLeak(t)
	v := here(t)
	root := linuxtest.Dir(t)
	state := dir(t, root+"/run/eci")
	dir(t, state+"/ranges")
	bundle := dir(t, root+"/run/containerd/tasks/ns/id")
	dir(t, bundle+"/rootfs")
	dir(t, root+"/run/containerd/shm")
	must(t, os.Symlink(root+"/run", root+"/var"))
	bind(t, state+"/ranges", dir(t, root+"/alias"))
	bind(t, root+"/run", dir(t, root+"/runs"))
	cfg := config(t)
	cfg.StateDir = root + "/var/eci"
	tasks := filepath.Dir(filepath.Dir(bundle))
	for source, want := range map[string]string{
		"/run/eci": cfg.StateDir, "/var/eci/ranges": cfg.StateDir, "/alias": cfg.StateDir, "/runs/eci": cfg.StateDir,
		"/runs": cfg.StateDir, "": cfg.StateDir, "/run/containerd/tasks/ns": tasks,
		"/run/containerd": tasks, "/run/containerd/shm": "", "/runs/containerd/tasks/ns/id/rootfs": tasks,
	} {
		facts, opened, err := Observe(v, cfg, Request{
			Bundle: bundle, Spec: specOf(root + source), Own: []string{root + "/run/containerd"},
		})
		must(t, err)
		opened.Close()
		if got := facts.Sources[0].Own; got != want {
			t.Errorf("%s reaches %q, want %q", source, got, want)
		}
	}
}
