package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// without removes namespaces from a spec, which is how clients ask for the host's.
func without(types ...specs.LinuxNamespaceType) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool {
			return slices.Contains(types, ns.Type)
		})
	}
}

const (
	because       = " with the host (because they use the linux user-namespace for isolation)"
	hostNetwork   = "error in the container spec: invalid or unsupported container spec: eci containers can't share a network namespace" + because
	hostNamespace = "error in the container spec: invalid or unsupported container spec: eci containers can't share namespaces [%s]" + because
)

func TestP04_HostNamespacesAreRefused(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		missing []specs.LinuxNamespaceType
		want    string
	}{
		{[]specs.LinuxNamespaceType{"network"}, hostNetwork},
		{[]specs.LinuxNamespaceType{"pid"}, fmt.Sprintf(hostNamespace, "pid")},
		{[]specs.LinuxNamespaceType{"ipc"}, fmt.Sprintf(hostNamespace, "ipc")},
		{[]specs.LinuxNamespaceType{"uts"}, fmt.Sprintf(hostNamespace, "uts")},
		{[]specs.LinuxNamespaceType{"mount"}, fmt.Sprintf(hostNamespace, "mount")},
		{[]specs.LinuxNamespaceType{"ipc", "pid"}, fmt.Sprintf(hostNamespace, "pid ipc")},
	} {
		t.Run(fmt.Sprint(c.missing), func(t *testing.T) {
			refused(t, d, testbed.Container{Spec: without(c.missing...)}, c.want)
		})
	}
}

func TestP04_HostNetworkOfCtr(t *testing.T) {
	d := bed(t)
	id := d.UniqueID("net")
	args := append(d.RunArgs(runtimeName, id), "--rm", "--net-host", testbed.BusyboxName, id, "true")
	_, stderr, err := d.Ctr(deadline(t), args...)
	if err == nil {
		t.Fatal("ctr run --net-host succeeded")
	}
	if !strings.Contains(stderr, hostNetwork) {
		t.Errorf("ctr wrote\n%s\nwant\n%s", stderr, hostNetwork)
	}
	checkClean(t, d)
}

// procNames are the types of namespaces as /proc/PID/ns calls them.
var procNames = map[specs.LinuxNamespaceType]string{
	"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt",
	"cgroup": "cgroup", "time": "time", "user": "user",
}

// joining gives namespaces of a spec paths.
func joining(paths map[specs.LinuxNamespaceType]string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		for kind, path := range paths {
			without(kind)(s)
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
		}
	}
}

// hostPaths are ways to name the namespace of the host that /proc/self/ns/NAME is.
func hostPaths(t *testing.T, d *testbed.Daemon, name string) map[string]string {
	dir := t.TempDir()
	links := map[string]string{"link": "/proc/self/ns/" + name, "chain": "link"}
	paths := map[string]string{
		"of the caller":         "/proc/self/ns/" + name,
		"of the calling thread": "/proc/thread-self/ns/" + name,
		"of another process":    fmt.Sprintf("/proc/%d/ns/%s", os.Getpid(), name),
		"of containerd":         fmt.Sprintf("/proc/%d/task/%d/ns/%s", d.Pid(), d.Pid(), name),
		"detour":                fmt.Sprintf("/proc/self/../%d/./ns//%s", os.Getpid(), name),
	}
	if name != "mnt" { // which the kernel binds in no mount namespace as old as itself
		paths["bound"] = pinNamespace(t, "/proc/self/ns/"+name)
		links["link to the bound"] = paths["bound"]
	}
	for link, target := range links {
		paths[link] = filepath.Join(dir, link)
		if err := os.Symlink(target, paths[link]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Readlink("/proc/1/ns/" + name); err == nil {
		paths["of the first process"] = "/proc/1/ns/" + name
	}
	if name == "pid" || name == "time" {
		paths["of children"] = fmt.Sprintf("/proc/self/ns/%s_for_children", name)
	}
	return paths
}

// pinNamespace keeps a namespace by a bind mount, as `ip netns` and `unshare` do.
func pinNamespace(t *testing.T, namespace string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "ns")
	if err := os.WriteFile(at, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(namespace, at, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("bind %s: %v", namespace, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return at
}

func TestP04_HostNamespacesByPathAreRefused(t *testing.T) {
	d := bed(t)
	for kind, name := range procNames {
		if kind == specs.UserNamespace {
			continue // P02
		}
		want := fmt.Sprintf(hostNamespace, kind)
		if kind == specs.NetworkNamespace {
			want = hostNetwork
		}
		for how, path := range hostPaths(t, d, name) {
			t.Run(string(kind)+" "+how, func(t *testing.T) {
				refused(t, d, testbed.Container{Spec: joining(map[specs.LinuxNamespaceType]string{kind: path})}, want)
			})
		}
	}
}

// TestP02_HostUserNamespaceByPathIsIgnored: as if it were not named at all.
func TestP02_HostUserNamespaceByPathIsIgnored(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	want := freeRanges(t, 1)[0]
	for how, path := range hostPaths(t, d, "user") {
		t.Run(how, func(t *testing.T) {
			got := run(t, d, testbed.Container{
				Args: []string{"cat", "/proc/self/uid_map"},
				Spec: joining(map[specs.LinuxNamespaceType]string{"user": path}),
			})
			wantText(t, "uid_map", strings.Join(strings.Fields(got), " "), want)
		})
	}
}

// What is no namespace, or another one than the spec says.
func TestP04_OtherPathsAreRefused(t *testing.T) {
	d := bed(t)
	for name, c := range map[string]struct{ path, want string }{
		"gone":         {"/proc/self/ns/gone", "does not exist"},
		"a file":       {"/etc/passwd", "not a namespace"},
		"a device":     {"/dev/null", "not a namespace"},
		"relative":     {"proc/self/ns/net", "not absolute"},
		"another type": {"/proc/self/ns/ipc", "leads to a namespace of the type ipc, not network"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, d, testbed.Container{Spec: joining(map[specs.LinuxNamespaceType]string{"network": c.path})}, "linux.namespaces", c.want)
		})
	}
}

// What was granted is not the host's either: no namespace has the host's inode.
func TestP04_AllNamespacesAreTheContainers(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	for _, kind := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		mine, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.Readlink(filepath.Join("/proc", fmt.Sprint(task.Pid()), "ns", kind))
		if err != nil {
			t.Fatal(err)
		}
		if mine == theirs {
			t.Errorf("the %s namespace is the host's, %s", kind, mine)
		}
	}
}

// Two containers share no namespace.
func TestP04_ContainersShareNothing(t *testing.T) {
	d := bed(t)
	type report struct{ Namespaces map[string]string }
	first := decode[report](t, exec(t, start(t, d, testbed.Container{}), "/probe", "id"))
	second := decode[report](t, exec(t, start(t, d, testbed.Container{}), "/probe", "id"))
	for kind, inode := range first.Namespaces {
		if second.Namespaces[kind] == inode {
			t.Errorf("both containers have %s", inode)
		}
	}
}
