package integration

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// instance is the probe's report about one way to a procfs or sysfs.
type instance struct{ Name, Errno, Meminfo, Uptime, Panic, Keys, Write, Online, Links string }

// way is the name of the way, without that of the namespaces.
func (i instance) way() string {
	for _, prefix := range []string{"newns/", "newpid/", "newuser/"} {
		if rest, ok := strings.CutPrefix(i.Name, prefix); ok {
			return rest
		}
	}
	return i.Name
}

// mayFail tells whether a way may be refused: a program that is told ENOSYS goes another one.
// In a user namespace of its own the kernel gives no part of a tree of mounts without the rest.
func (i instance) mayFail() bool {
	way := i.way()
	switch {
	case strings.HasSuffix(way, "fsopen"):
		return i.Errno == "ENOSYS"
	case strings.HasPrefix(i.Name, "newuser/") && !strings.Contains(way, "recursive") && (strings.HasSuffix(way, "bind") || strings.HasSuffix(way, "open_tree")):
		return i.Errno == "EINVAL"
	}
	return false
}

// TestP15_EveryWayShowsTheView: a procfs or sysfs that the container gets by whatever calls,
// in whatever namespaces, shows what its own shows.
func TestP15_EveryWayShowsTheView(t *testing.T) {
	needCPUs(t, 2)
	d := bed(t)
	unchangedSettings(t)
	small := limited(limits{memory: mebibytes << 20, cpus: "0"})
	for _, c := range []struct {
		name     string
		c        testbed.Container
		readOnly bool // /proc/sys
		masked   bool
	}{
		{"CAP_SYS_ADMIN", testbed.Container{Spec: small, CapAdd: []string{"CAP_SYS_ADMIN"}}, true, true},
		{"CAP_SYS_ADMIN, writable settings", testbed.Container{Spec: specOf(small, readWrite), CapAdd: []string{"CAP_SYS_ADMIN"}}, false, true},
		{"privileged", testbed.Container{Spec: small, Privileged: true}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := start(t, d, c.c)
			if !c.readOnly {
				change(t, task, "/proc/sys/kernel/panic=77")
			}
			panics := change(t, task, "/proc/sys/kernel/panic?")[0].Before
			// More than a hundred instances are made: an emulated machine takes a minute.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*patience)
			defer cancel()
			result, err := task.Exec(ctx, "/probe", "instances")
			succeed(t, err)
			report := decode[[]instance](t, result.Stdout)
			if len(report) < 100 {
				t.Errorf("only %d ways were gone", len(report))
			}
			for _, i := range report {
				t.Run(i.Name, func(t *testing.T) {
					if i.mayFail() {
						return
					}
					if i.Errno != "" {
						t.Fatalf("it failed: %s", i.Errno)
					}
					if strings.HasPrefix(i.way(), "sys/") {
						wantText(t, "online", i.Online, "0")
						return
					}
					if want := fmt.Sprintf("MemTotal: %14d kB", mebibytes<<10); strings.Join(strings.Fields(i.Meminfo), " ") != strings.Join(strings.Fields(want), " ") {
						t.Errorf("meminfo begins with %q, want %q", i.Meminfo, want)
					}
					if i.Uptime != "2" || i.Panic != panics {
						t.Errorf("uptime has %s fields, kernel.panic is %q, want %q", i.Uptime, i.Panic, panics)
					}
					if c.masked && i.Keys != "" {
						t.Errorf("what the client masks is there: %q", i.Keys)
					}
					if c.readOnly != (i.Write == "EROFS") || !c.readOnly && i.Write != "" && !strings.HasPrefix(i.Name, "newuser/") {
						t.Errorf("writing to kernel.panic: %q", i.Write)
					}
					if strings.Contains(i.Name, "/mount") && !strings.HasPrefix(i.Name, "newns/") && !strings.HasPrefix(i.Name, "int80/") && i.Links != "1" {
						t.Errorf("/self leads to %q: not the new pid namespace", i.Links)
					}
				})
			}
		})
	}
}

// Without any capability, who makes a user namespace gets the view there, too.
func TestP15_Unprivileged(t *testing.T) {
	task := start(t, bed(t), testbed.Container{Spec: limited(smallMemory)})
	out := execAs(t, task, 1000, "unshare", "-U", "-r", "-p", "-f", "-m", "sh", "-ec", "mkdir -p /tmp/p; mount -t proc proc /tmp/p; head -n 1 /tmp/p/meminfo; cat /tmp/p/1/comm /tmp/p/keys; true")
	wantText(t, "a new procfs", strings.Join(strings.Fields(out), " "), fmt.Sprintf("MemTotal: %d kB sh", mebibytes<<10))
}

// The words of P15.
func TestP15_ByHand(t *testing.T) {
	task := start(t, bed(t), testbed.Container{Spec: limited(smallMemory), CapAdd: []string{"CAP_SYS_ADMIN"}})
	out := exec(t, task, "sh", "-ec", "mkdir /p; mount -t proc proc /p; cat /p/uptime; grep MemTotal /p/meminfo; cat /proc/uptime; umount /p; ls -A /p")
	if !regexp.MustCompile(fmt.Sprintf(`^\d+\.\d\d \d+\.\d\d\nMemTotal: +%d kB\n\d+\.\d\d \d+\.\d\d\n$`, mebibytes<<10)).MatchString(out) {
		t.Errorf("got %q", out)
	}
}

// A pseudo-file cannot be taken away, whatever the container holds; what it mounts over one
// is its own.
func TestP15_PseudoFilesStay(t *testing.T) {
	d := bed(t)
	unchangedSettings(t)
	task := start(t, d, testbed.Container{Privileged: true})
	for _, path := range []string{"/proc/uptime", "/proc/meminfo", "/proc/sys/kernel/panic", "/sys/devices/system/cpu/online", "/p/meminfo"} {
		t.Run(path, func(t *testing.T) {
			if strings.HasPrefix(path, "/p/") {
				exec(t, task, "sh", "-ec", "mkdir /p; mount -t proc proc /p")
			}
			for _, a := range attempts(t, exec(t, task, "/probe", "covers", path)) {
				switch {
				case a.Effect:
					t.Errorf("%s: %s", a.Name, a.Detail)
				case a.Name == "all" || a.Name == "own":
					if a.Errno != "" {
						t.Errorf("%s: %s", a.Name, a.Errno)
					}
				case strings.Contains(a.Name, "umount") || strings.HasPrefix(a.Name, "move"):
					if a.Errno != "EINVAL" {
						t.Errorf("%s: %q, want EINVAL", a.Name, a.Errno)
					}
				case a.Name == "truncate" && strings.HasPrefix(path, "/proc/sys/"): // as the kernel's
					if a.Errno != "" {
						t.Errorf("%s: %s", a.Name, a.Errno)
					}
				case a.Errno == "" && a.Name != "truncate":
					t.Errorf("%s succeeded", a.Name)
				}
			}
		})
	}
	// A directory that is served is no less a pseudo-file.
	if out := exec(t, task, "sh", "-c", "umount /proc/sys/net/core 2>&1; umount -l /proc/sys/net/ipv4/neigh 2>&1; cat /proc/sys/net/core/netdev_max_backlog"); strings.Count(out, "\n") > 3 || strings.Contains(out, "No such file") {
		t.Errorf("got %q", out)
	}
}

// A new instance is remounted and taken away as any other mount.
func TestP15_Remount(t *testing.T) {
	unchangedSettings(t)
	task := start(t, bed(t), writableContainer(func(s *specs.Spec) {
		c := s.Process.Capabilities
		for _, set := range []*[]string{&c.Bounding, &c.Effective, &c.Permitted} {
			*set = append(*set, "CAP_SYS_ADMIN", "CAP_NET_ADMIN")
		}
	}))
	want := map[string]string{"write, read-only": "EROFS", "write another, read-only": "EROFS", "umount of nothing": "EINVAL"}
	for _, a := range attempts(t, exec(t, task, "/probe", "remounts")) {
		if a.Errno != want[a.Name] {
			t.Errorf("%s: %q, want %q", a.Name, a.Errno, want[a.Name])
		}
	}
}

// runcFiles are what runc needs of the host to run in another root file system: itself, and
// its libraries if it is linked with any.
func runcFiles(t *testing.T, d *testbed.Daemon) []specs.Mount {
	t.Helper()
	mounts := []specs.Mount{testbed.Bind(d.Programs.Runc, "/bin/runc", "ro")}
	out, err := osexec.Command("ldd", d.Programs.Runc).CombinedOutput()
	if err != nil {
		return mounts // linked statically
	}
	for _, path := range regexp.MustCompile(`(?m)/\S+`).FindAllString(string(out), -1) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil || path == d.Programs.Runc {
			continue
		}
		mounts = append(mounts, testbed.Bind(real, path, "ro"))
	}
	return mounts
}

// TestP15_InnerContainer: runc in the container makes containers that show the same, and
// whose settings it writes. Since 1.3.3 it refuses to touch a setting that something is
// mounted over.
func TestP15_InnerContainer(t *testing.T) {
	d := bed(t)
	rootfs := plainRootfs(t)
	// runc wants a root file system that it may pivot to.
	mounts := append(runcFiles(t, d), testbed.Bind(rootfs, "/bundle/rootfs"), tmpfs("/run", "mode=755"), specs.Mount{
		Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "rw"},
	})
	task := start(t, d, testbed.Container{Privileged: true, Spec: limited(smallMemory), Mounts: mounts})
	// Older kernels do not have net.core.* in a network that the host's root does not own.
	settings, values := `"net.ipv4.ip_unprivileged_port_start": "99", "net.ipv4.ping_group_range": "0 0"`, "99\n"
	if result, err := task.Exec(deadline(t), "test", "-e", "/proc/sys/net/core/somaxconn"); err == nil && result.Code == 0 {
		settings, values = settings+`, "net.core.somaxconn": "1234"`, "99\n1234\n"
	} else {
		t.Log("the kernel has no net.core.somaxconn for it")
	}
	exec(t, task, "sh", "-ec", `cd /bundle
runc spec
sed -i 's/"terminal": true/"terminal": false/; s/"readonly": true/"readonly": false/; s/"sh"$/"sh", "-c", "head -n1 \/proc\/meminfo; cat \/proc\/sys\/net\/ipv4\/ip_unprivileged_port_start; cat \/proc\/sys\/net\/core\/somaxconn 2>\/dev\/null; cat \/proc\/uptime; cat \/proc\/keys"/' config.json
sed -i 's/"linux": {/"linux": { "sysctl": { `+settings+` },/' config.json`)
	for i := range 2 {
		out := exec(t, task, "sh", "-ec", fmt.Sprintf("cd /bundle && runc run inner%d", i))
		if !regexp.MustCompile(fmt.Sprintf(`^MemTotal: +%d kB\n%s\d+\.\d\d \d+\.\d\d\n$`, mebibytes<<10, values)).MatchString(out) {
			t.Errorf("the inner container shows %q", out)
		}
	}
}

// What the client masks, or leaves read-only, is so in a new procfs or sysfs.
func TestP15_MasksOfTheClient(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{CapAdd: []string{"CAP_SYS_ADMIN"}})
	exec(t, task, "sh", "-ec", "mkdir /p /s; mount -t proc proc /p; mount -t sysfs sysfs /s")
	spec, err := task.Container.Spec(d.Context(deadline(t)))
	succeed(t, err)
	seen := 0
	for _, path := range slices.Concat(spec.Linux.MaskedPaths, []string{"/proc/kcore", "/proc/keys"}) {
		at := strings.Replace(strings.Replace(path, "/proc/", "/p/", 1), "/sys/", "/s/", 1)
		if !exists(path) || at == path {
			continue
		}
		seen++
		// A file is the null device, a directory is empty.
		out := exec(t, task, "sh", "-c", `if [ -d "$1" ]; then ls -A "$1"; elif [ -e "$1" ]; then cat "$1"; fi`, "sh", at)
		if out != "" {
			t.Errorf("%s shows %.100q", at, out)
		}
	}
	if seen < 3 {
		t.Errorf("only %d masked paths are on this host", seen)
	}
	for _, path := range spec.Linux.ReadonlyPaths {
		at := strings.Replace(path, "/proc/", "/p/", 1)
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			continue
		}
		if out := exec(t, task, "sh", "-c", `find "$1" -type f | head -n 20 | while read f; do (: >>"$f") 2>&1 | grep -v -e Read-only -e denied; done; true`, "sh", at); out != "" {
			t.Errorf("%s: %s", at, out)
		}
	}
}

// TestP15_ReadOnlyPartsStay: what the client has made read-only has the pseudo-files of its place,
// and who could take it away would see the host's.
func TestP15_ReadOnlyPartsStay(t *testing.T) {
	for what, c := range map[string]testbed.Container{"default": {}, "CAP_SYS_ADMIN": {CapAdd: []string{"CAP_SYS_ADMIN"}}} {
		task := start(t, bed(t), c)
		const script = `mkdir /p /x && unshare -Urmpf sh -c 'mount -t proc p /p && ! umount /p/sys && ! umount -l /p/sys && ! mount -o move /p/sys /x && stat -c %d /p/uptime /p/sys/vm/max_map_count &&
			mount --bind /p/sys /p/sys && umount -l /p/sys && stat -c %d /p/sys/vm/max_map_count && umount /p' 2>/dev/null
			umount -l /proc/sys 2>/dev/null; stat -c %d /proc/uptime /proc/sys/vm/max_map_count`
		got := strings.Fields(exec(t, task, "sh", "-c", script))
		if len(got) != 5 || slices.ContainsFunc(got, func(dev string) bool { return dev != got[0] }) {
			t.Errorf("%s: devices %v, want five times that of the pseudo-files", what, got)
		}
	}
}
