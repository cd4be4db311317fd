package integration

import (
	"fmt"
	"os"
	osexec "os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// specOf applies several changes to a spec.
func specOf(changes ...func(*specs.Spec)) func(*specs.Spec) {
	return func(s *specs.Spec) {
		for _, change := range changes {
			change(s)
		}
	}
}

// inPod gives a spec the annotations of containerd's CRI plugin, by which one shim
// serves a pod.
func inPod(pod, kind string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Annotations = map[string]string{"io.kubernetes.cri.sandbox-id": pod, "io.kubernetes.cri.container-type": kind}
	}
}

// sysctls of a pod, as CRI sets them.
func podSysctls(s *specs.Spec) {
	s.Linux.Sysctl = map[string]string{
		"net.ipv4.ip_unprivileged_port_start": "0",
		"net.ipv4.ping_group_range":           "0 2147483647",
	}
}

// keeper is a process that holds new namespaces until they are pinned.
func keeper(t *testing.T, flags uintptr, users []specs.LinuxIDMapping) int {
	t.Helper()
	cmd := osexec.Command("sleep", "100000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	for _, m := range users {
		one := syscall.SysProcIDMap{ContainerID: int(m.ContainerID), HostID: int(m.HostID), Size: int(m.Size)}
		cmd.SysProcAttr.UidMappings = append(cmd.SysProcAttr.UidMappings, one)
		cmd.SysProcAttr.GidMappings = append(cmd.SysProcAttr.GidMappings, one)
	}
	if users != nil {
		cmd.SysProcAttr.GidMappingsEnableSetgroups = true
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// podNetwork is a network namespace that the host owns, with a dummy interface in it, as
// CRI makes one for a pod.
func podNetwork(t *testing.T) string {
	t.Helper()
	pid := keeper(t, syscall.CLONE_NEWNET, nil)
	path := pinNamespace(t, fmt.Sprintf("/proc/%d/ns/net", pid))
	out, err := osexec.Command("nsenter", "--net="+path, "ip", "link", "add", "eci-pod", "type", "dummy").CombinedOutput()
	if err != nil {
		out, err = osexec.Command("nsenter", "--net="+path, "ip", "link", "add", "name", "eci-pod", "type", "bridge").CombinedOutput()
	}
	if err != nil {
		t.Logf("no interface for the pod: %v: %s", err, out)
	}
	end(t, pid)
	return path
}

// end ends a keeper; what it held stays where it is pinned.
func end(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	_, _ = syscall.Wait4(pid, &status, 0, nil)
}

// interfaces are the network interfaces that a process sees in /sys.
func interfaces(t *testing.T, task *testbed.Task) string {
	t.Helper()
	return strings.Join(strings.Fields(exec(t, task, "ls", "/sys/class/net")), " ")
}

// fromInside is the second container of a pod, as CRI asks for it.
func fromInside(pause *testbed.Task, pod string, changes ...func(*specs.Spec)) testbed.Container {
	join := joining(of(pause, "network", "ipc", "uts"))
	return testbed.Container{Spec: specOf(append([]func(*specs.Spec){inPod(pod, "container"), join}, changes...)...)}
}

// TestP05_Pod: a pod without hostUsers: false, whose network the host owns. It works, and
// its containers see their network in /sys, but are not its administrators.
func TestP05_Pod(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	ranges := freeRanges(t, 2)
	network := podNetwork(t)
	join := joining(map[specs.LinuxNamespaceType]string{"network": network})
	pause := start(t, d, testbed.Container{ID: "pod", Spec: specOf(inPod("pod", "sandbox"), join, podSysctls)})
	web := start(t, d, fromInside(pause, "pod"))
	wantShared(t, pause, web, "network", "ipc", "uts")
	wantClaims(t, d, 2, 1)
	if shims, err := d.Shims(""); err != nil || len(shims) != 1 {
		t.Errorf("shims of the pod: %v, %v", shims, err)
	}
	for _, task := range []*testbed.Task{pause, web} {
		wantText(t, "mapping", mapping(t, task), ranges[0])
		seen := strings.Fields(interfaces(t, task))
		want := strings.Fields(exec(t, task, "sh", "-c", "tail -n +3 /proc/net/dev | cut -d: -f1"))
		if len(seen) == 0 || len(seen) != len(want) {
			t.Errorf("/sys/class/net has %v, the network namespace %v", seen, want)
		}
		wantText(t, "first port", exec(t, task, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "0")
		wantText(t, "ping", strings.Join(strings.Fields(exec(t, task, "cat", "/proc/sys/net/ipv4/ping_group_range")), " "), "0 65535")
		flags := exec(t, task, "sh", "-c", "grep ' /sys sysfs ' /proc/mounts")
		if !strings.Contains(flags, "ro,nosuid,nodev,noexec") {
			t.Errorf("/sys is mounted %s", flags)
		}
	}
	// The host's settings are as they were.
	if got := readFile(t, "/proc/sys/net/ipv4/ping_group_range"); strings.Contains(got, "100000") {
		t.Errorf("the host's ping_group_range is %q", got)
	}
	mighty := start(t, d, fromInside(pause, "pod", func(s *specs.Spec) {
		all := s.Process.Capabilities.Bounding
		all = append(all, "CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE")
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
	}))
	for _, script := range []string{
		"mount -o remount,rw /sys", "umount /sys", "mount -t sysfs sysfs /mnt", "ip link add x type dummy", "echo 5 > /proc/sys/net/ipv4/ip_default_ttl",
	} {
		fails(t, mighty, script)
	}
	for _, task := range []*testbed.Task{pause, mighty, web} { // the first one first
		if err := task.Delete(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	checkClean(t, d)
	wantText(t, "the next container", mapping(t, start(t, d, testbed.Container{})), ranges[0])
}

// TestP05_PodOfOthers: a network that the host owns is not shared with strangers.
func TestP05_PodOfOthers(t *testing.T) {
	d := bed(t)
	network := podNetwork(t)
	join := joining(map[specs.LinuxNamespaceType]string{"network": network})
	plain := start(t, d, testbed.Container{Runtime: "runc", Spec: join})
	refusedCreate(t, d, testbed.Container{Spec: join}, "used by a container of another runtime")
	if err := plain.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
	// With nobody in it, it is the pod's; who comes later shares its users.
	first, another := start(t, d, testbed.Container{Spec: join}), start(t, d, testbed.Container{})
	second := start(t, d, testbed.Container{Spec: join})
	wantShared(t, first, second, "network")
	refusedCreate(t, d, testbed.Container{Spec: specOf(join, joining(of(another, "ipc")))}, "belong to different containers")
	late := start(t, d, testbed.Container{Runtime: "runc", Spec: join})
	refusedCreate(t, d, testbed.Container{Spec: join}, "used by a container of another runtime")
	if err := late.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
}

// TestP05_OwnNetworksAreRequired: what the administrator can ask for.
func TestP05_OwnNetworksAreRequired(t *testing.T) {
	d := freshBed(t, testbed.Options{Config: "namespaces.require_own = true"})
	network := podNetwork(t)
	refused(t, d, testbed.Container{Spec: joining(map[specs.LinuxNamespaceType]string{"network": network})}, "hostUsers: false", "rule namespace-path")
	first := start(t, d, testbed.Container{})
	wantShared(t, first, start(t, d, testbed.Container{Spec: joining(of(first, "network"))}), "network")
}

// TestP05_HostUsersFalse: a pod whose user namespace, and network in it, the client has
// made and pinned.
func TestP05_HostUsersFalse(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	users := []specs.LinuxIDMapping{{HostID: 30 << 20, Size: rangeSize}}
	pid := keeper(t, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET, users)
	pinned := map[specs.LinuxNamespaceType]string{
		"user":    pinNamespace(t, fmt.Sprintf("/proc/%d/ns/user", pid)),
		"network": pinNamespace(t, fmt.Sprintf("/proc/%d/ns/net", pid)),
	}
	withUsers := func(s *specs.Spec) { s.Linux.UIDMappings, s.Linux.GIDMappings = users, users }
	sandbox := testbed.Container{Spec: specOf(inPod("pod", "sandbox"), withUsers, joining(pinned), podSysctls)}
	// As long as a process of the host lives there, it is not the container's.
	refusedCreate(t, d, sandbox, "used by a container of another runtime, or by processes of the host")
	end(t, pid)
	others := []specs.LinuxIDMapping{{HostID: 40 << 20, Size: rangeSize}}
	refusedCreate(t, d, testbed.Container{Spec: specOf(joining(pinned), func(s *specs.Spec) {
		s.Linux.UIDMappings, s.Linux.GIDMappings = others, others
	})}, "is not that of the user namespace", "rule mapping")
	refusedCreate(t, d, testbed.Container{Spec: joining(pinned)}, "does not bring its mapping")
	network := map[specs.LinuxNamespaceType]string{"network": pinned["network"]}
	refusedCreate(t, d, testbed.Container{Spec: specOf(withUsers, joining(network))}, "does not name it")

	pause := start(t, d, sandbox)
	wantText(t, "mapping", mapping(t, pause), fmt.Sprintf("0 %d %d", 30<<20, rangeSize))
	join := joining(of(pause, "user"))
	web := start(t, d, fromInside(pause, "pod", withUsers, join))
	wantShared(t, pause, web, "network", "ipc", "uts")
	wantText(t, "sysctl", exec(t, web, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "0")
	wantText(t, "interfaces", interfaces(t, web), "lo")
	wantText(t, "owners", exec(t, web, "sh", "-c", "touch /new; stat -c %u:%g /new /own/1000 | tr '\\n' ' '"), "0:0 1000:1000")
	wantClaims(t, d, 2, 1)
	refusedCreate(t, d, testbed.Container{Spec: withMapping(users, users)}, "overlaps") // a stranger with that range

	// The first one goes first; who is left is known by the pinned namespace.
	if err := pause.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
	third := start(t, d, testbed.Container{Spec: specOf(withUsers, joining(pinned))})
	wantShared(t, web, third, "network")
	for _, task := range []*testbed.Task{web, third} {
		if err := task.Delete(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	checkClean(t, d)
	start(t, d, sandbox) // and again
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
