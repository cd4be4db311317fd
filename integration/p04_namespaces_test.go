package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

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

// A namespace by path is not built yet, whoever's it is: none may pass.
func TestP04_NamespacesByPathAreRefused(t *testing.T) {
	d := bed(t)
	for _, kind := range []string{"pid", "net", "ipc", "uts", "mnt", "cgroup", "time", "user"} {
		t.Run(kind, func(t *testing.T) {
			refused(t, d, testbed.Container{Spec: func(s *specs.Spec) {
				name := specs.LinuxNamespaceType(map[string]string{"net": "network", "mnt": "mount"}[kind])
				if name == "" {
					name = specs.LinuxNamespaceType(kind)
				}
				without(name)(s)
				s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: name, Path: "/proc/1/ns/" + kind})
			}}, "error in the container spec: ", "linux.namespaces[")
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
