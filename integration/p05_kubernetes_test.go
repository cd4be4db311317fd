package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/eci-runtime/eci/integration/testbed"
)

// kubelet asks containerd's CRI plugin for pods, as a kubelet does.
type kubelet struct {
	*testing.T
	bed *testbed.Daemon
	cri runtimeapi.RuntimeServiceClient
}

// pod makes a pod, with a user namespace of its own where users is not nil.
func (k kubelet) pod(name string, users *runtimeapi.UserNamespace) (string, *runtimeapi.PodSandboxConfig) {
	k.Helper()
	config := &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		Hostname: name,
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent: k.bed.Cgroup(),
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: &runtimeapi.NamespaceOption{
				Pid: runtimeapi.NamespaceMode_CONTAINER, UsernsOptions: users,
			}},
		},
	}
	sandbox, err := k.cri.RunPodSandbox(deadline(k.T), &runtimeapi.RunPodSandboxRequest{Config: config, RuntimeHandler: "eci"})
	if err != nil {
		k.Fatal(err)
	}
	id := sandbox.GetPodSandboxId()
	k.Cleanup(func() {
		if _, err := k.cri.StopPodSandbox(deadline(k.T), &runtimeapi.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
			k.Error(err)
		}
		if _, err := k.cri.RemovePodSandbox(deadline(k.T), &runtimeapi.RemovePodSandboxRequest{PodSandboxId: id}); err != nil {
			k.Error(err)
		}
		checkClean(k.T, k.bed)
	})
	return id, config
}

// container starts a container of a pod, and returns its ID.
func (k kubelet) container(pod string, config *runtimeapi.PodSandboxConfig, name string) string {
	k.Helper()
	made, err := k.cri.CreateContainer(deadline(k.T), &runtimeapi.CreateContainerRequest{
		PodSandboxId: pod, SandboxConfig: config,
		Config: &runtimeapi.ContainerConfig{
			Metadata: &runtimeapi.ContainerMetadata{Name: name},
			Image:    &runtimeapi.ImageSpec{Image: testbed.BusyboxName},
			Command:  []string{"sleep", "100000"},
			Linux: &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{
				NamespaceOptions: config.Linux.SecurityContext.NamespaceOptions,
			}},
		},
	})
	if err != nil {
		k.Fatal(err)
	}
	if _, err := k.cri.StartContainer(deadline(k.T), &runtimeapi.StartContainerRequest{ContainerId: made.ContainerId}); err != nil {
		k.Fatal(err)
	}
	return made.ContainerId
}

// exec runs one more process in a container.
func (k kubelet) exec(container string, script string) string {
	k.Helper()
	out, err := k.cri.ExecSync(deadline(k.T), &runtimeapi.ExecSyncRequest{ContainerId: container, Cmd: []string{"sh", "-c", script}})
	if err != nil {
		k.Fatal(err)
	}
	if out.ExitCode != 0 {
		k.Errorf("%q: status %d: %s", script, out.ExitCode, out.Stderr)
	}
	return strings.Join(strings.Fields(string(out.Stdout)), " ")
}

// pid is the host's number of a pod's first process.
func (k kubelet) pid(pod string) int {
	k.Helper()
	status, err := k.cri.PodSandboxStatus(deadline(k.T), &runtimeapi.PodSandboxStatusRequest{PodSandboxId: pod, Verbose: true})
	if err != nil {
		k.Fatal(err)
	}
	var info struct{ Pid int }
	if err := json.Unmarshal([]byte(status.Info["info"]), &info); err != nil || info.Pid == 0 {
		k.Fatalf("no process in %v: %v", status.Info, err)
	}
	return info.Pid
}

// TestP05_KubernetesPod: a pod as containerd makes it for a kubelet, with hostUsers: false
// and without.
func TestP05_KubernetesPod(t *testing.T) {
	if runtimeName != "eci" {
		t.Skip("the bed has one runtime for pods, this project's (ECI_TEST_RUNTIME is set)")
	}
	d := freshBed(t, testbed.Options{CRI: true})
	images, err := buildImages()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.ImportPodImages(deadline(t), images[0]); err != nil {
		t.Fatal(err)
	}
	const base = 30 << 20
	extent := []*runtimeapi.IDMapping{{HostId: base, ContainerId: 0, Length: rangeSize}}
	for name, c := range map[string]struct {
		users *runtimeapi.UserNamespace
		want  string
	}{
		"plain":            {nil, freeRanges(t, 1)[0]},
		"host-users-false": {&runtimeapi.UserNamespace{Mode: runtimeapi.NamespaceMode_POD, Uids: extent, Gids: extent}, fmt.Sprintf("0 %d %d", base, rangeSize)},
	} {
		t.Run(name, func(t *testing.T) {
			k := kubelet{t, d, d.CRI()}
			pod, config := k.pod(name, c.users)
			first, second := k.container(pod, config, "first"), k.container(pod, config, "second")
			for _, kind := range []string{"user", "net", "ipc", "uts"} {
				want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", k.pid(pod), kind))
				if err != nil {
					t.Fatal(err)
				}
				for _, container := range []string{first, second} {
					wantText(t, kind, k.exec(container, "readlink /proc/self/ns/"+kind), want)
				}
			}
			for _, container := range []string{first, second} {
				wantText(t, "mapping", k.exec(container, "cat /proc/self/uid_map"), c.want)
				wantText(t, "interfaces", k.exec(container, "ls /sys/class/net"), "lo")
				wantText(t, "owners", k.exec(container, "touch /new; stat -c %u:%g /new /own/1000"), "0:0 1000:1000")
				wantText(t, "hostname", k.exec(container, "hostname"), name)
			}
			wantClaims(t, d, 3, 1)
		})
	}
}
