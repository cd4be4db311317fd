package integration

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP04_WhereTheAdministratorAllowsIt: a container that shares the host's namespaces has
// a user namespace of its own all the same, and its mounts show what it shares.
func TestP04_WhereTheAdministratorAllowsIt(t *testing.T) {
	for _, mode := range []string{"warn", "off"} {
		d := freshBed(t, testbed.Options{Config: `rules.host-namespace = "` + mode + `"`})
		for _, kinds := range [][]specs.LinuxNamespaceType{{"network"}, {"pid"}, {"ipc"}, {"uts"}, {"pid", "network", "ipc", "uts"}} {
			for how, spec := range map[string]func(*specs.Spec){
				"absent":  without(kinds...),
				"by path": joining(hostsOwn(kinds)),
			} {
				t.Run(strings.Join([]string{mode, string(kinds[0]), how}, " "), func(t *testing.T) {
					task := start(t, d, testbed.Container{Spec: spec})
					shares := map[specs.LinuxNamespaceType]bool{}
					for _, kind := range kinds {
						shares[kind] = true
					}
					for kind, name := range procNames {
						host, err := os.Readlink("/proc/self/ns/" + name)
						if err != nil {
							t.Fatal(err)
						}
						if got := inode(t, task, kind); (got == host) != shares[kind] {
							t.Errorf("%s namespace %s, the host's %s, shared: %t", kind, got, host, shares[kind])
						}
					}
					wantHostView(t, task, shares)
				})
			}
		}
		for how, spec := range map[string]func(*specs.Spec){
			"absent":  without("mount"),
			"by path": joining(hostsOwn([]specs.LinuxNamespaceType{"mount"})),
		} {
			t.Run(mode+" mount "+how, func(t *testing.T) {
				refused(t, d, testbed.Container{Spec: spec}, "can't share namespaces [mount] with the host")
			})
		}
	}
}

// wantHostView asserts that what is mounted shows the namespaces that are shared, and
// changes nothing of the host's.
func wantHostView(t *testing.T, task *testbed.Task, shares map[specs.LinuxNamespaceType]bool) {
	t.Helper()
	pid := strconv.Itoa(os.Getpid())
	if shares["network"] {
		names := entriesOf(t, "/sys/class/net")
		slices.Sort(names)
		wantText(t, "interfaces", interfaces(t, task), strings.Join(names, " "))
		fails(t, task, "echo 77 > /proc/sys/net/ipv4/ip_default_ttl")
	}
	if shares["pid"] {
		exec(t, task, "test", "-d", "/proc/"+pid)
		fails(t, task, "kill -0 "+pid)
		fails(t, task, "echo b > /proc/sysrq-trigger")
		fails(t, task, "echo 1 > /proc/sys/vm/drop_caches")
	}
	if shares["ipc"] {
		exec(t, task, "ls", "/dev/mqueue")
	}
	if shares["uts"] {
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, "hostname", exec(t, task, "hostname"), host)
		fails(t, task, "hostname changed")
	}
}

// hostsOwn gives the paths of the host's own namespaces.
func hostsOwn(kinds []specs.LinuxNamespaceType) map[specs.LinuxNamespaceType]string {
	paths := map[specs.LinuxNamespaceType]string{}
	for _, kind := range kinds {
		paths[kind] = "/proc/self/ns/" + procNames[kind]
	}
	return paths
}

// fails asserts that a script has no success in a container.
func fails(t *testing.T, task *testbed.Task, script string) {
	t.Helper()
	result, err := task.Exec(deadline(t), "sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	if result.Code == 0 {
		t.Errorf("%q succeeded: %s", script, result.Stdout)
	}
}
