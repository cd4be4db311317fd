package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// secretText is what no container may see.
const secretText = "of-the-host-only"

// vault is a directory with things that the policy restricts, and others.
type vault struct {
	root    string
	dir     string // restricted, in "holder"
	file    string // in dir
	single  string // restricted by itself
	open    string // in dir, and excepted
	public  string // nothing is said about it
	socket  string // in dir
	message string
}

// newVault makes one, and has the policy of the bed restrict it.
func newVault(t *testing.T, d *testbed.Daemon) vault {
	t.Helper()
	root := t.TempDir()
	v := vault{
		root: root, dir: filepath.Join(root, "holder/secret"), single: filepath.Join(root, "etc/single"),
		public: filepath.Join(root, "public"), message: "configured as a restricted host mount",
	}
	v.file, v.open, v.socket = filepath.Join(v.dir, "file"), filepath.Join(v.dir, "open"), filepath.Join(v.dir, "s")
	for _, name := range []string{v.file, v.single} {
		file(t, name, 0, 0o644)
		must(t, os.WriteFile(name, []byte(secretText), 0o644))
	}
	for _, name := range []string{v.public, v.open} {
		file(t, filepath.Join(name, "file"), 0, 0o644)
	}
	l, err := net.Listen("unix", v.socket)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	restrict(t, d, fmt.Sprintf("restricted = [%q, %q]\nexcept = [%q]\n", v.dir, v.single, v.open))
	return v
}

// restrict writes the lines about mounts of the runtime's configuration, while the test
// runs.
func restrict(t *testing.T, d *testbed.Daemon, lines string) {
	t.Helper()
	name := filepath.Join(filepath.Dir(d.ConfigFile()), "conf.d/p06.toml")
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte("[mounts]\n"+lines), 0o644))
	t.Cleanup(func() { _ = os.Remove(name) })
}

// refuses asserts that a source cannot be mounted, recursively or not, and that the
// sentence names it.
func (v vault) refuses(t *testing.T, d *testbed.Daemon, source string, want ...string) {
	t.Helper()
	for _, how := range []string{"rbind", "bind"} {
		m := specs.Mount{Type: "bind", Source: source, Destination: "/mnt", Options: []string{how, "ro"}}
		refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{m}},
			append([]string{"error in the container spec: can't mount " + source + " because it", "(rule ", ", field mounts["}, want...)...)
	}
}

// TestP06_Message is the sentence of the promise, as a person at a shell reads it.
func TestP06_Message(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	id := d.UniqueID("p06")
	_, stderr, err := d.Ctr(deadline(t), append(d.RunArgs(runtimeName, id), "--rm",
		"--mount", "type=bind,src="+v.single+",dst=/mnt/daemon.json,options=rbind:ro", testbed.BusyboxName, id, "true")...)
	if err == nil {
		t.Fatal("the container was created")
	}
	want := "error in the container spec: can't mount " + v.single + " because it's configured as a restricted host mount"
	if got := lastLines(stderr, 1); !strings.HasPrefix(got, "ctr: ") || !strings.Contains(got, want) {
		t.Errorf("ctr says\n%s\nand should say\n%s", stderr, want)
	}
	checkClean(t, d)
}

// TestP06_RestrictedUnderEveryName opens the same things by names that have nothing in
// common.
func TestP06_RestrictedUnderEveryName(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	other := t.TempDir()
	at := func(name string) string { return filepath.Join(other, name) }
	must(t, os.Symlink(v.dir, at("link")))
	must(t, os.Symlink("link/file", at("link2")))
	must(t, os.Symlink(other, filepath.Join(v.dir, "outwards")))
	must(t, os.Link(v.file, at("hard")))
	must(t, os.Link(v.single, at("hard-single")))
	must(t, os.Link(v.socket, at("hard-socket")))
	for source, alias := range map[string]string{
		v.dir: "alias", filepath.Dir(v.dir): "alias-of-parent", at("alias"): "alias-of-alias", v.root: "alias-of-root",
	} {
		if source == at("alias") {
			continue
		}
		mount(t, source, dir(t, at(alias)), "", bindFlag)
	}
	mount(t, at("alias"), dir(t, at("alias-of-alias")), "", bindFlag)
	file(t, at("alias-of-file"), 0, 0o600)
	mount(t, v.file, at("alias-of-file"), "", bindFlag)
	for name, source := range map[string]string{
		"directory":            v.dir,
		"file in it":           v.file,
		"single file":          v.single,
		"socket in it":         v.socket,
		"symlink":              at("link"),
		"symlink to symlink":   at("link2"),
		"through a symlink":    at("link/file"),
		"link in it":           filepath.Join(v.dir, "outwards"),
		"dots":                 v.public + "/../holder/./secret/../secret//file",
		"parent":               filepath.Dir(v.dir),
		"parent of the parent": v.root,
		"alias":                at("alias"),
		"alias of a file":      at("alias-of-file"),
		"below an alias":       at("alias/file"),
		"alias of the parent":  at("alias-of-parent"),
		"below that":           at("alias-of-parent/secret/file"),
		"alias of an alias":    at("alias-of-alias/file"),
		"alias of all":         at("alias-of-root/etc"),
		"hard link":            at("hard"),
		"hard link to single":  at("hard-single"),
		"hard link to socket":  at("hard-socket"),
	} {
		t.Run(name, func(t *testing.T) { v.refuses(t, d, source, v.message, "rule restricted-mount") })
	}
	t.Run("what holds an alias, recursively", func(t *testing.T) {
		m := []specs.Mount{testbed.Bind(other, "/mnt")}
		refusedCreate(t, d, testbed.Container{Mounts: m}, "can't mount "+other+" because it holds the mount "+other, v.message)
	})
	t.Run("what holds an alias, flat", func(t *testing.T) {
		m := specs.Mount{Type: "bind", Source: other, Destination: "/mnt", Options: []string{"bind"}}
		out := run(t, d, testbed.Container{Args: []string{"ls", "/mnt/alias", "/mnt/alias-of-root"}, Mounts: []specs.Mount{m}})
		if strings.Contains(out, "file") || strings.Contains(out, "etc") {
			t.Errorf("what is mounted in it came along: %s", out)
		}
	})
	checkClean(t, d)
}

// TestP06_MagicLinks lead a process to other roots and to what it has open.
func TestP06_MagicLinks(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	for _, source := range []string{
		fmt.Sprintf("/proc/%d/root", os.Getpid()), fmt.Sprintf("/proc/%d/root%s", os.Getpid(), v.dir),
		fmt.Sprintf("/proc/%d/cwd", d.Pid()), "/proc/self/root", "/proc/self/cwd", "/proc/self/exe", "/proc/thread-self/root/etc",
	} {
		t.Run(source, func(t *testing.T) { v.refuses(t, d, source, "leads through a magic link of /proc") })
	}
	for _, source := range []string{"/proc", "/proc/self", "/proc/1/environ", "/proc/self/fd", "/proc/self/../sys", "/sys", "/sys/kernel", "/dev"} {
		t.Run(source, func(t *testing.T) { v.refuses(t, d, source, "rule restricted-mount") })
	}
	checkClean(t, d)
}

// TestP06_MountsOfTheHost are what a volume driver makes of a client's wish: binds,
// overlays and file systems of the kernel, anywhere.
func TestP06_MountsOfTheHost(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	volumes := t.TempDir()
	must(t, os.Chmod(volumes, 0o700))
	volume := func(name string) string { return dir(t, filepath.Join(volumes, name, "_data")) }
	restrict(t, d, fmt.Sprintf("restricted = [%q, %q, %q]\nexcept = [%q]\n", v.dir, v.single, volumes, volumes+"/*/_data"))

	plain := volume("plain")
	run(t, d, testbed.Container{Args: []string{"touch", "/mnt/new"}, Mounts: []specs.Mount{testbed.Bind(plain, "/mnt")}})

	bound := volume("bound")
	mount(t, v.dir, bound, "", bindFlag)
	v.refuses(t, d, bound, v.message)
	parent := volume("parent")
	mount(t, v.root, parent, "", bindFlag)
	v.refuses(t, d, parent, v.message)
	v.refuses(t, d, parent+"/holder/secret/file", v.message)

	for _, kind := range []string{"proc", "sysfs", "devtmpfs", "mqueue"} {
		kernel := volume(kind)
		mount(t, kind, kernel, kind, 0)
		v.refuses(t, d, kernel, "it lies on a file system of the kernel ("+kind+")")
	}
	chroot := volume("chroot")
	mount(t, "proc", dir(t, filepath.Join(chroot, "proc")), "proc", 0)
	refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(chroot, "/mnt")}}, "a file system of the kernel (proc)")

	for name, options := range map[string]string{
		"below": "lowerdir=" + v.dir + ":" + v.public,
		"holds": "lowerdir=" + v.root + ":" + plain,
		"upper": "lowerdir=" + v.public + ",upperdir=" + v.dir + ",workdir=" + dir(t, filepath.Join(v.root, "work")),
	} {
		merged := volume("overlay-" + name)
		command(t, "mount", "-t", "overlay", "-o", options, "overlay", merged)
		v.refuses(t, d, merged, "it is or holds an overlay")
		command(t, "umount", merged)
	}
	checkClean(t, d)
}

// TestP06_Rootfs: a root file system is a volume by another name.
func TestP06_Rootfs(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	alias := t.TempDir()
	mount(t, v.dir, alias, "", bindFlag)
	for _, root := range []string{v.dir, alias, v.root, filepath.Dir(v.dir), "/etc"} {
		refusedCreate(t, d, testbed.Container{Rootfs: root}, "the root file system is made of "+root, "(rule rootfs, field root.path)")
	}
	refusedCreate(t, d, testbed.Container{Rootfs: "/proc/self/root"}, "leads through a magic link of /proc")
	t.Run("of another container", func(t *testing.T) {
		task := start(t, d, testbed.Container{})
		refusedCreate(t, d, testbed.Container{Rootfs: filepath.Join(d.Bundle(task.ID), "rootfs")}, "where this runtime keeps what isolates containers")
	})
	t.Run("an overlay of it", func(t *testing.T) {
		merged := t.TempDir()
		command(t, "mount", "-t", "overlay", "-o", "lowerdir="+v.dir+":"+v.public, "overlay", merged)
		t.Cleanup(func() { command(t, "umount", merged) })
		refusedCreate(t, d, testbed.Container{Rootfs: merged}, "it is or holds an overlay", "(rule rootfs, field root.path)")
	})
	checkClean(t, d)
}

// TestP06_ExceptionsAndTheRest can be mounted.
func TestP06_ExceptionsAndTheRest(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	for _, source := range []string{v.open, v.public} {
		out := run(t, d, testbed.Container{Args: []string{"cat", "/mnt/file"}, Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}})
		wantText(t, source, out, "file")
	}
	out := run(t, d, testbed.Container{Args: []string{"cat", "/mnt"}, Mounts: []specs.Mount{testbed.Bind(v.open+"/file", "/mnt")}})
	wantText(t, "file of the exception", out, "file")
	hard := filepath.Join(v.public, "hard")
	must(t, os.Link(filepath.Join(v.public, "file"), hard))
	run(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(hard, "/mnt")}})
}

// TestP06_AllowList lets nothing pass but what it has.
func TestP06_AllowList(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	restrict(t, d, fmt.Sprintf("only = [%q, %q]\n", v.public, v.root+"/many/*/data"))
	listed := dir(t, v.root+"/many/1/data")
	for _, source := range []string{v.public, v.public + "/file", listed} {
		run(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}})
	}
	must(t, os.Symlink(v.open, v.public+"/link"))
	for _, source := range []string{v.root, v.root + "/many", v.root + "/many/1", t.TempDir(), v.public + "/link", v.public + "/../many"} {
		v.refuses(t, d, source, "it's not configured as an allowed host mount")
	}
	checkClean(t, d)
}

// TestP06_Defaults needs no configuration.
func TestP06_Defaults(t *testing.T) {
	d := bed(t)
	var v vault
	refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind("/", "/mnt")}}, "error in the container spec: can't mount ")
	for _, source := range []string{"/etc", "/etc/shadow", "/run", "/var/run", "/proc", "/sys", "/dev", "/var/lib", "/var"} {
		if _, err := os.Stat(source); err != nil {
			continue // this host does not have it
		}
		t.Run(source, func(t *testing.T) { v.refuses(t, d, source) })
	}
	for _, source := range []string{d.Dir + "/root", d.Dir + "/state", filepath.Dir(d.Bundle("x")), d.Address} {
		t.Run(strings.TrimPrefix(source, d.Dir), func(t *testing.T) {
			start(t, d, testbed.Container{})
			refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}}, "error in the container spec: ")
		})
	}
	checkClean(t, d)
}

// TestP06_Race exchanges what a name leads to while containers are created: between
// the look and the mount is no gap.
func TestP06_Race(t *testing.T) {
	d := bed(t)
	v := newVault(t, d)
	moving := t.TempDir()
	links := []string{filepath.Join(moving, "a"), filepath.Join(moving, "b")}
	must(t, os.Symlink(v.public, links[0]))
	must(t, os.Symlink(v.dir, links[1]))
	ctx, cancel := context.WithCancel(deadline(t))
	swaps, ended := new(atomic.Int64), make(chan error)
	go func() {
		for ctx.Err() == nil {
			if err := unix.Renameat2(unix.AT_FDCWD, links[0], unix.AT_FDCWD, links[1], unix.RENAME_EXCHANGE); err != nil {
				ended <- err
				return
			}
			swaps.Add(1)
		}
		ended <- nil
	}()
	created, refusals := 0, 0
	for range 40 {
		result, err := d.Run(deadline(t), withRuntime(testbed.Container{
			Args: []string{"cat", "/mnt/file"}, Mounts: []specs.Mount{testbed.Bind(links[0], "/mnt", "ro")},
		}))
		switch {
		case err != nil:
			checkText(t, err, v.message)
			refusals++
		case result.Stdout != "file":
			t.Fatalf("the container read %q", result.Stdout)
		default:
			created++
		}
	}
	cancel()
	must(t, <-ended)
	t.Logf("%d exchanges, %d created, %d refused", swaps.Load(), created, refusals)
	if swaps.Load() < 1000 || created == 0 || refusals == 0 {
		t.Errorf("%d exchanges, %d created, %d refused: there was no race", swaps.Load(), created, refusals)
	}
	checkClean(t, d)
}

// TestP06_OwnDirectories of the runtime and of its engine are known by other names, too,
// and no mode of a rule opens them.
func TestP06_OwnDirectories(t *testing.T) {
	d := bed(t)
	configure(t, d, "[rules]\nrestricted-mount = \"off\"\nrootfs = \"off\"\n")
	start(t, d, testbed.Container{})
	other := t.TempDir()
	for name, source := range map[string]string{
		"claims": d.StateDir() + "/ranges", "state": d.StateDir(), "runc": d.RuncRoot(),
		"bundles": filepath.Dir(d.Bundle("x")), "bed": d.Dir, "root": d.Dir + "/root",
	} {
		alias := dir(t, filepath.Join(other, name))
		mount(t, source, alias, "", bindFlag)
		const want = "where this runtime keeps what isolates containers (rule volume-source"
		refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(alias, "/mnt")}}, want)
		refusedCreate(t, d, testbed.Container{Rootfs: alias}, want)
	}
	refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(other, "/mnt")}}, "where this runtime keeps")
}
