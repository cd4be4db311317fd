package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// put writes a file of the bed's configuration, by its name beside the main file, and
// takes it away again when the test ends.
func put(t *testing.T, d *testbed.Daemon, name, text string) string {
	t.Helper()
	path := filepath.Join(d.Dir, name)
	succeed(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
	t.Cleanup(func() { succeed(t, os.RemoveAll(path)) })
	return path
}

func succeed(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestP23_UntrustedConfiguration: what others than root could have written is not the
// administrator's word, and no container starts until it is mended.
func TestP23_UntrustedConfiguration(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	main, drop := d.ConfigFile(), filepath.Join(d.Dir, "conf.d")
	chmod := func(path string, mode os.FileMode) func(t *testing.T) {
		return func(t *testing.T) {
			info, err := os.Stat(path)
			succeed(t, err, os.Chmod(path, mode))
			t.Cleanup(func() { succeed(t, os.Chmod(path, info.Mode())) })
		}
	}
	chown := func(path string) func(t *testing.T) {
		return func(t *testing.T) {
			succeed(t, os.Lchown(path, 1000, 0))
			t.Cleanup(func() { succeed(t, os.Lchown(path, 0, 0)) })
		}
	}
	link := func(owner int, target string) func(t *testing.T) {
		return func(t *testing.T) {
			succeed(t, os.Rename(main, main+".real"), os.Symlink(target, main), os.Lchown(main, owner, 0))
			t.Cleanup(func() { succeed(t, os.Remove(main), os.Rename(main+".real", main)) })
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T)
		want  string
	}{
		{"writable by the group", chmod(main, 0o620), main + " must belong to root"},
		{"writable by all", chmod(main, 0o602), main + " must belong to root"},
		{"of another user", chown(main), main + " must belong to root"},
		{"directory writable by the group", chmod(d.Dir, 0o731), d.Dir + " must belong to root"},
		{"directory of another user", chown(d.Dir), d.Dir + " must belong to root"},
		{"conf.d writable by all", func(t *testing.T) {
			put(t, d, "conf.d/10.toml", "")
			chmod(drop, 0o777)(t)
		}, drop + " must belong to root"},
		{"a file of conf.d of another user", func(t *testing.T) { succeed(t, os.Chown(put(t, d, "conf.d/10.toml", ""), 1000, 0)) }, "10.toml must belong to root"},
		{"a link of another user", link(1000, main+".real"), "is a symbolic link and must belong to root"},
		{"a link that leads nowhere", link(0, main+".gone"), "a symbolic link that leads nowhere"},
		{"a directory", func(t *testing.T) {
			succeed(t, os.Rename(main, main+".real"), os.Mkdir(main, 0o755))
			t.Cleanup(func() { succeed(t, os.Remove(main), os.Rename(main+".real", main)) })
		}, main + " is not a file"},
		{"missing, although it is named", func(t *testing.T) {
			succeed(t, os.Rename(main, main+".real"))
			t.Cleanup(func() { succeed(t, os.Rename(main+".real", main)) })
		}, "no such file"},
		{"an unknown key in conf.d", func(t *testing.T) { put(t, d, "conf.d/10.toml", "[mounts]\nrestrict = []") }, `10.toml:2: "mounts.restrict" is not a known key`},
		{"a rule that has no mode", func(t *testing.T) { put(t, d, "conf.d/10.toml", "rules.mapping = 'off'") }, "rules.mapping: the rule is always enforced: isolation is made of it"},
		{"a value that makes no sense", func(t *testing.T) { put(t, d, "conf.d/10.toml", "ids.base = 1000") }, "ids.base: 1000 is below 65536"},
		{"pins that cannot be read", func(t *testing.T) { put(t, d, "images.lock", "[[image]]\nname = 'x'") }, "images.lock:2: image[0].name"},
		{"larger than any", func(t *testing.T) { put(t, d, "conf.d/10.toml", strings.Repeat("#\n", 1<<20)) }, "10.toml is larger than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spoil(t)
			refused(t, d, testbed.Container{}, c.want)
		})
	}
	// A link of root's to a file of root's is fine.
	t.Run("a link of root", func(t *testing.T) {
		link(0, main+".real")(t)
		run(t, d, testbed.Container{})
	})
	run(t, d, testbed.Container{})
}

// TestP23_ConfDInOrder: the files of conf.d are laid over the main file in the order of
// their names, for the next container, without a restart.
func TestP23_ConfDInOrder(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	source := t.TempDir()
	volume := testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}}
	run(t, d, volume)
	put(t, d, "conf.d/20-restrict.toml", fmt.Sprintf("mounts.restricted = [%q]", source))
	refused(t, d, volume, "rule restricted-mount", source)
	put(t, d, "conf.d/10-open.toml", fmt.Sprintf("mounts.except = [%q]", source))
	refused(t, d, volume, "rule restricted-mount", source)
	put(t, d, "conf.d/30-open.toml", fmt.Sprintf("mounts.except = [%q]", source))
	run(t, d, volume)
	put(t, d, "conf.d/40-restrict.txt", fmt.Sprintf("mounts.restricted = [%q]", source))
	run(t, d, volume)
}

// TestP23_ChosenConfiguration: a client chooses among the files that the administrator
// lists, and no other one.
func TestP23_ChosenConfiguration(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	source := t.TempDir()
	listed := put(t, d, "listed.toml", fmt.Sprintf("mounts.restricted = [%q]", source))
	other := put(t, d, "other.toml", "rules.host-namespace = 'off'")
	mine := put(t, d, "mine.toml", "state_dir = '/tmp/mine'")
	put(t, d, "conf.d/10-policies.toml", fmt.Sprintf("policies = [%q, %q]", listed, mine))

	volume := func(config string) testbed.Container {
		return testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}, Options: chosenOptions(d, config)}
	}
	run(t, d, volume(""))
	refused(t, d, volume(listed), "rule restricted-mount", source)
	for _, name := range []string{other, d.ConfigFile(), filepath.Dir(listed) + "//" + filepath.Base(listed), "/dev/null", "relative.toml"} {
		refused(t, d, volume(name), "not in policies of the configuration", filepath.Base(name))
	}
	refused(t, d, volume(mine), "mine.toml:1: state_dir: it is the same for all containers")
	succeed(t, os.Chmod(listed, 0o666))
	refused(t, d, volume(listed), "listed.toml must belong to root")
	succeed(t, os.Chmod(listed, 0o600))

	ctr := func(config string) error {
		id := d.UniqueID("ctr")
		args := []string{
			"run", "--rm", "--runtime", testbed.Eci, "--runtime-config-path", config, "--cgroup", d.Cgroup() + "/" + id, "--fifo-dir", t.TempDir(),
			"--mount", "type=bind,src=" + source + ",dst=/mnt,options=rbind", testbed.BusyboxName, id, "true",
		}
		_, _, err := d.Ctr(deadline(t), args...)
		return err
	}
	checkRefusal(t, d, ctr(listed), "rule restricted-mount")
	checkRefusal(t, d, ctr(other), "not in policies of the configuration")
	succeed(t, os.WriteFile(listed, nil, 0o600))
	succeed(t, ctr(listed))
	checkClean(t, d)
}

// TestP23_AnnotationsOnlyTighten: whoever writes the spec can ask for less, not for more.
func TestP23_AnnotationsOnlyTighten(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	source := t.TempDir()
	with := func(annotations ...string) testbed.Container {
		return testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}, Spec: func(s *specs.Spec) {
			s.Annotations = map[string]string{}
			for i := 0; i < len(annotations); i += 2 {
				s.Annotations["eci.containerd.io/"+annotations[i]] = annotations[i+1]
			}
		}}
	}
	run(t, d, with())
	refused(t, d, with("restricted-mounts", source), "rule restricted-mount", source)
	for _, loose := range [][2]string{{"enforce", ""}, {"enforce", "none"}, {"warn", "restricted-mount"}, {"off", "all"}, {"devices", "/dev/sda"}, {"hooks", "all"}, {"allow", source}} {
		refused(t, d, with(loose[0], loose[1]), "rule annotation", "eci.containerd.io/"+loose[0])
	}
	put(t, d, "conf.d/10.toml", fmt.Sprintf("mounts.restricted = [%q]\nrules.restricted-mount = 'warn'", source))
	run(t, d, with())
	refused(t, d, with("enforce", "restricted-mount"), "rule restricted-mount", source)
	refused(t, d, with("enforce", "all"), "rule restricted-mount", source)
}

// chosenOptions are those of a client that chooses a configuration.
func chosenOptions(d *testbed.Daemon, config string) *runtimeoptions.Options {
	return &runtimeoptions.Options{
		TypeUrl: "runtimeoptions.v1.Options", ConfigPath: config, ConfigBody: fmt.Appendf(nil, "Root = %q\n", d.RuncRoot()),
	}
}
