package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// newHome makes a home directory in which the policy of the bed masks some.
func newHome(t *testing.T, d *testbed.Daemon) string {
	t.Helper()
	home := t.TempDir()
	for _, name := range []string{".ssh/id", ".config/gcloud/key", "project/.ssh/not-masked"} {
		file(t, filepath.Join(home, name), 0, 0o644)
		must(t, os.WriteFile(filepath.Join(home, name), []byte(secretText), 0o644))
	}
	file(t, filepath.Join(home, "project/file"), 0, 0o644)
	restrict(t, d, fmt.Sprintf("masked = [%q, %q, %q]\n", home+"/.ssh", home+"/.config/gcloud", home+"/.not-there"))
	return home
}

// TestP06_HomeWorks with what is secret in it hidden, wherever it is mounted.
func TestP06_HomeWorks(t *testing.T) {
	d := bed(t)
	home := newHome(t, d)
	parent := t.TempDir()
	alias := dir(t, filepath.Join(parent, "alias"))
	mount(t, home, alias, "", bindFlag)
	for _, target := range []string{"/mnt", "/run/mnt", "/dev/shm/mnt"} {
		for source, at := range map[string]string{home: target, alias: target, parent: target + "/alias"} {
			out := run(t, d, testbed.Container{
				Args: []string{"sh", "-c", `cd "$1" && cat project/file project/.ssh/not-masked && ls -a .ssh .config/gcloud &&
					stat -c %u:%g,%a .ssh && ! touch .ssh/new 2>/dev/null && ls -d .not-there 2>&1 | tail -c 26`, "sh", at},
				Mounts: []specs.Mount{testbed.Bind(source, target, "ro")},
			})
			wantText(t, source+" at "+target, out, "file"+secretText+".config/gcloud:\n.\n..\n\n.ssh:\n.\n..\n0:0,555\nNo such file or directory")
		}
	}
	flat := specs.Mount{Type: "bind", Source: home, Destination: "/run/mnt", Options: []string{"bind", "ro"}}
	wantText(t, "not recursive", run(t, d, testbed.Container{Args: []string{"ls", "/run/mnt/.ssh"}, Mounts: []specs.Mount{flat}}), "")
	if got := command(t, "cat", filepath.Join(home, ".ssh/id")); got != secretText {
		t.Errorf("on the host it is %q now", got)
	}
	checkClean(t, d)
}

// TestP06_HomeIsReadOnly where there is something to hide: whoever may write to it may move
// that away from what hides it.
func TestP06_HomeIsReadOnly(t *testing.T) {
	d := bed(t)
	home := newHome(t, d)
	parent := t.TempDir()
	alias := dir(t, filepath.Join(parent, "alias"))
	mount(t, home, alias, "", bindFlag)
	for _, source := range []string{home, home + "/.config", alias, parent, filepath.Dir(home)} {
		for _, options := range [][]string{nil, {"rw"}, {"ro", "rw"}} {
			refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt", options...)}},
				"can't mount "+source+" because it holds ", "masked host mount: a writable volume could move it; mount it read-only (rule restricted-mount")
		}
	}
	run(t, d, testbed.Container{Args: []string{"touch", "/mnt/new"}, Mounts: []specs.Mount{testbed.Bind(home+"/project", "/mnt")}})
	checkClean(t, d)
}

// TestP06_HomeWithoutSecrets can be writable.
func TestP06_HomeWithoutSecrets(t *testing.T) {
	d := bed(t)
	home := newHome(t, d)
	must(t, os.RemoveAll(home+"/.ssh"))
	must(t, os.RemoveAll(home+"/.config/gcloud"))
	run(t, d, testbed.Container{Args: []string{"touch", "/mnt/.config/new"}, Mounts: []specs.Mount{testbed.Bind(home, "/mnt")}})
	t.Run("unless a mount hides that there are some", func(t *testing.T) {
		must(t, os.MkdirAll(home+"/.ssh", 0o700))
		alias := t.TempDir()
		mount(t, home, alias, "", bindFlag)
		mount(t, "tmpfs", home, "tmpfs", 0)
		refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(alias, "/mnt")}}, "hide .ssh: it is there, and a writable volume could move it")
	})
	checkClean(t, d)
}

// TestP06_MaskedIsNotMoved: a container renames what is masked, or what that lies in, and the
// next one looks for it by the new name. With the rule in the mode warn, which lets a writable
// volume pass, that works: so the attack is one.
func TestP06_MaskedIsNotMoved(t *testing.T) {
	d := bed(t)
	for _, masked := range []string{".ssh", ".config/gcloud"} {
		for _, option := range []string{"ro", "rw"} {
			t.Run(masked+"/"+option, func(t *testing.T) {
				home := t.TempDir()
				secret := filepath.Join(home, masked, "secret")
				file(t, secret, 0, 0o644)
				must(t, os.WriteFile(secret, []byte(secretText), 0o644))
				lines := fmt.Sprintf("masked = [%q]\n", home+"/"+masked)
				if option == "rw" {
					lines += "[rules]\nrestricted-mount = \"warn\"\n"
				}
				restrict(t, d, lines)
				container := testbed.Container{
					Args: []string{"/probe", "move-mask", "/mnt", masked}, CapAdd: []string{"CAP_SYS_ADMIN"},
					Mounts: []specs.Mount{testbed.Bind(home, "/mnt", option)},
				}
				made := attempts(t, run(t, d, container))
				if len(made) != 1 || made[0].Effect != (option == "rw") || made[0].Errno != map[string]string{"ro": "EROFS"}[option] {
					t.Errorf("%+v", made)
				}
				container.Args = []string{"sh", "-c", `find /mnt -name secret -exec cat {} +`}
				wantText(t, "the next container", run(t, d, container), map[string]string{"rw": secretText}[option])
			})
		}
	}
}

// TestP06_MaskedItself cannot be mounted, nor what lies in it, by any name.
func TestP06_MaskedItself(t *testing.T) {
	d := bed(t)
	home := newHome(t, d)
	other := t.TempDir()
	mount(t, home+"/.ssh", dir(t, other+"/alias"), "", bindFlag)
	must(t, os.Symlink(home+"/.ssh", other+"/link"))
	must(t, os.Link(home+"/.ssh/id", other+"/hard"))
	for _, source := range []string{home + "/.ssh", home + "/.ssh/id", other + "/alias", other + "/alias/id", other + "/link/id", other + "/hard"} {
		refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}}, "can't mount "+source+" because it", "rule restricted-mount")
	}
	checkClean(t, d)
}

// TestP06_MaskThatCannotBe is no reason to show what it should hide.
func TestP06_MaskThatCannotBe(t *testing.T) {
	d := bed(t)
	home := newHome(t, d)
	must(t, os.RemoveAll(home+"/.ssh"))
	file(t, home+"/.ssh", 0, 0o644)
	refused(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(home, "/mnt", "ro")}}, "hide .ssh", "not a directory")
}

// TestP06_MasksAreLocked attacks them with all privileges that a container can have.
func TestP06_MasksAreLocked(t *testing.T) {
	d := bed(t)
	for _, kind := range volumeKinds {
		for _, target := range []string{"/mnt", "/run/mnt"} {
			for _, masked := range []string{".ssh", ".config/gcloud"} {
				t.Run(kind.name+target+"/"+masked, func(t *testing.T) {
					home := kind.make(t)
					secret := filepath.Join(home, masked, "secret")
					file(t, secret, 0, 0o644)
					must(t, os.WriteFile(secret, []byte(secretText), 0o644))
					restrict(t, d, fmt.Sprintf("masked = [%q]\n", home+"/"+masked))
					task := start(t, d, testbed.Container{
						Privileged: true, CapAdd: []string{"CAP_SYS_ADMIN"}, Mounts: []specs.Mount{testbed.Bind(home, target, "ro")},
					})
					checkMaskAttacks(t, exec(t, task, "/probe", "attack-mask", target, masked, "secret"))
					if got := command(t, "cat", secret); got != secretText {
						t.Errorf("on the host it is %q now", got)
					}
				})
			}
		}
	}
}

func checkMaskAttacks(t *testing.T, out string) {
	t.Helper()
	if strings.Contains(out, secretText) {
		t.Errorf("the secret was read")
	}
	seen := map[string]int{}
	for _, a := range attempts(t, out) {
		prefix, _, nested := strings.Cut(a.Name, "/")
		if !nested {
			prefix = ""
		}
		seen[prefix]++
		if a.Effect {
			t.Errorf("%s: %s %s", a.Name, a.Errno, a.Detail)
		}
	}
	for _, prefix := range []string{"", "newns", "newuser"} {
		if seen[prefix] < 15 {
			t.Errorf("only %d attacks of the kind %q were made: %s", seen[prefix], prefix, out)
		}
	}
}

// TestP06_MasksControlUnderRunc proves that the attacks can have an effect: there the
// mask is an ordinary mount of the container's.
func TestP06_MasksControlUnderRunc(t *testing.T) {
	d := bed(t)
	home := t.TempDir()
	file(t, filepath.Join(home, ".ssh/secret"), 0, 0o644)
	out := run(t, d, testbed.Container{
		Runtime: "runc", CapAdd: []string{"CAP_SYS_ADMIN"}, Args: []string{"/probe", "attack-mask", "/mnt", ".ssh", "secret"},
		Mounts: []specs.Mount{
			testbed.Bind(home, "/mnt"),
			{Type: "tmpfs", Source: "tmpfs", Destination: "/mnt/.ssh", Options: []string{"ro"}},
		},
	})
	effects := map[string]bool{}
	for _, a := range attempts(t, out) {
		effects[a.Name] = a.Effect
	}
	for _, name := range []string{"bind", "rbind-umount", "open_tree", "umount"} {
		if !effects[name] {
			t.Errorf("%s had no effect under runc: the attack proves nothing", name)
		}
	}
}
