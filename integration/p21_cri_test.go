package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/eci-runtime/eci/integration/testbed"
)

// criBed is a containerd for pods, with their images.
func criBed(t *testing.T, opts testbed.Options) *testbed.Daemon {
	t.Helper()
	if runtimeName != "eci" {
		t.Skip("pods have this project's runtime by name (ECI_TEST_RUNTIME is set)")
	}
	opts.CRI = true
	d := freshBed(t, opts)
	images, err := buildImages()
	succeed(t, err, d.ImportPodImages(deadline(t), images[0]))
	return d
}

// ownUsers is what a kubelet asks for a pod with hostUsers: false.
func ownUsers(base uint32) *runtimeapi.UserNamespace {
	extent := []*runtimeapi.IDMapping{{HostId: base, Length: rangeSize}}
	return &runtimeapi.UserNamespace{Mode: runtimeapi.NamespaceMode_POD, Uids: extent, Gids: extent}
}

// podOf is the configuration of a pod, changed by edit.
func (k kubelet) podOf(name string, edit func(*runtimeapi.PodSandboxConfig)) *runtimeapi.PodSandboxConfig {
	config := &runtimeapi.PodSandboxConfig{
		Metadata:     &runtimeapi.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		Hostname:     name,
		LogDirectory: filepath.Join(k.bed.Dir, "logs", name),
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent:    k.bed.Cgroup(),
			SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: &runtimeapi.NamespaceOption{Pid: runtimeapi.NamespaceMode_CONTAINER}},
		},
	}
	if edit != nil {
		edit(config)
	}
	return config
}

// try starts a pod under one of the bed's handlers.
func (k kubelet) try(handler string, config *runtimeapi.PodSandboxConfig) (string, error) {
	made, err := k.cri.RunPodSandbox(deadline(k.T), &runtimeapi.RunPodSandboxRequest{Config: config, RuntimeHandler: handler})
	if err != nil {
		return "", err
	}
	k.Cleanup(func() { k.remove(made.PodSandboxId) })
	return made.PodSandboxId, nil
}

// remove stops and removes a pod; one that is gone already is.
func (k kubelet) remove(pod string) {
	k.Helper()
	k.cri = k.bed.CRI() // containerd may have been started anew
	_, err := k.cri.StopPodSandbox(deadline(k.T), &runtimeapi.StopPodSandboxRequest{PodSandboxId: pod})
	succeedLater(k.T, err)
	_, err = k.cri.RemovePodSandbox(deadline(k.T), &runtimeapi.RemovePodSandboxRequest{PodSandboxId: pod})
	succeedLater(k.T, err)
}

func succeedLater(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// inPod starts a container of a pod, changed by edit.
func (k kubelet) inPod(pod string, config *runtimeapi.PodSandboxConfig, name string, edit func(*runtimeapi.ContainerConfig)) string {
	k.Helper()
	made, err := k.tryInPod(pod, config, name, edit)
	succeed(k.T, err)
	return made
}

// tryInPod is inPod for what may fail.
func (k kubelet) tryInPod(pod string, config *runtimeapi.PodSandboxConfig, name string, edit func(*runtimeapi.ContainerConfig)) (string, error) {
	c := &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: name},
		Image:    &runtimeapi.ImageSpec{Image: testbed.BusyboxName},
		Command:  []string{"sleep", "100000"},
		LogPath:  name + ".log",
		Linux: &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{
			NamespaceOptions: config.Linux.SecurityContext.NamespaceOptions,
		}},
	}
	if edit != nil {
		edit(c)
	}
	made, err := k.cri.CreateContainer(deadline(k.T), &runtimeapi.CreateContainerRequest{PodSandboxId: pod, SandboxConfig: config, Config: c})
	if err != nil {
		return "", err
	}
	_, err = k.cri.StartContainer(deadline(k.T), &runtimeapi.StartContainerRequest{ContainerId: made.ContainerId})
	return made.ContainerId, err
}

// ended waits for the end of a container.
func (k kubelet) ended(container string) *runtimeapi.ContainerStatus {
	k.Helper()
	for ctx := deadline(k.T); ; {
		got, err := k.cri.ContainerStatus(ctx, &runtimeapi.ContainerStatusRequest{ContainerId: container})
		succeed(k.T, err)
		if got.Status.State == runtimeapi.ContainerState_CONTAINER_EXITED {
			return got.Status
		}
	}
}

// TestP21_CRIHandlers: the ways of telling containerd of the runtime, and the one that does not
// work with hostUsers: false, which is containerd's doing (docs/clients.md).
func TestP21_CRIHandlers(t *testing.T) {
	d := criBed(t, testbed.Options{})
	for _, c := range []struct {
		handler string
		users   *runtimeapi.UserNamespace
		want    string
	}{
		{testbed.HandlerPath, nil, ""},
		{testbed.HandlerPath, ownUsers(30 << 20), ""},
		{testbed.HandlerType, nil, ""},
		{testbed.HandlerType, ownUsers(31 << 20), ""},
		{testbed.HandlerOptions, nil, ""},
		{testbed.HandlerOptions, ownUsers(32 << 20), "can't unmarshal type"},
	} {
		name := fmt.Sprintf("%s own users %t", c.handler, c.users != nil)
		t.Run(name, func(t *testing.T) {
			k := kubelet{t, d, d.CRI()}
			config := k.podOf(strings.ReplaceAll(name, " ", "-"), func(p *runtimeapi.PodSandboxConfig) {
				p.Linux.SecurityContext.NamespaceOptions.UsernsOptions = c.users
			})
			pod, err := k.try(c.handler, config)
			succeed(t, err)
			web, err := k.tryInPod(pod, config, "web", nil)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got %v, want %s; if it works now, docs/clients.md can say so", err, c.want)
				}
				k.remove(pod)
				checkClean(t, d)
				return
			}
			succeed(t, err)
			if got := k.exec(web, "cat /proc/self/uid_map"); strings.HasPrefix(got, "0 0 ") {
				t.Errorf("mapping: %q", got)
			}
			wantText(t, "user namespace", k.exec(web, "readlink /proc/self/ns/user"), userNS(t, k.pid(pod)))
			k.remove(pod)
			checkClean(t, d)
		})
	}
}

func userNS(t *testing.T, pid int) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	succeed(t, err)
	return link
}

// TestP21_CRIHostNamespaces: pods that want the host's, and pods without users of their own where
// the administrator demands them.
func TestP21_CRIHostNamespaces(t *testing.T) {
	d := criBed(t, testbed.Options{Config: "namespaces.require_own = true"})
	node := func(change func(*runtimeapi.NamespaceOption)) func(*runtimeapi.PodSandboxConfig) {
		return func(p *runtimeapi.PodSandboxConfig) { change(p.Linux.SecurityContext.NamespaceOptions) }
	}
	for name, c := range map[string]struct {
		change func(*runtimeapi.NamespaceOption)
		want   string
	}{
		"network": {func(o *runtimeapi.NamespaceOption) { o.Network = runtimeapi.NamespaceMode_NODE }, "can't share namespaces [network uts] with the host"},
		"pid":     {func(o *runtimeapi.NamespaceOption) { o.Pid = runtimeapi.NamespaceMode_NODE }, "can't share namespaces [pid] with the host"},
		"ipc":     {func(o *runtimeapi.NamespaceOption) { o.Ipc = runtimeapi.NamespaceMode_NODE }, "can't share namespaces [ipc] with the host"},
		"plain":   {func(*runtimeapi.NamespaceOption) {}, "(Kubernetes: hostUsers: false) (rule namespace-path"},
	} {
		t.Run(name, func(t *testing.T) {
			k := kubelet{t, d, d.CRI()}
			_, err := k.try(testbed.HandlerPath, k.podOf(name, node(c.change)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			checkClean(t, d)
		})
	}
	k := kubelet{t, d, d.CRI()}
	config := k.podOf("own", node(func(o *runtimeapi.NamespaceOption) { o.UsernsOptions = ownUsers(30 << 20) }))
	_, err := k.try(testbed.HandlerPath, config)
	succeed(t, err)
}

// TestP21_CRINetwork: pods on a bridge, and who administers their network.
func TestP21_CRINetwork(t *testing.T) {
	d := criBed(t, testbed.Options{Bridge: true})
	k := kubelet{t, d, d.CRI()}
	addresses := map[string]string{}
	pods := map[string]string{}
	for name, users := range map[string]*runtimeapi.UserNamespace{"plain": nil, "mapped": ownUsers(30 << 20)} {
		config := k.podOf(name, func(p *runtimeapi.PodSandboxConfig) {
			p.Linux.SecurityContext.NamespaceOptions.UsernsOptions = users
			if testbed.HasPortMap() {
				p.PortMappings = []*runtimeapi.PortMapping{{ContainerPort: 8080, HostPort: map[string]int32{"plain": 30080, "mapped": 30081}[name]}}
			}
		})
		pod, err := k.try(testbed.HandlerPath, config)
		succeed(t, err)
		web := k.inPod(pod, config, "web", func(c *runtimeapi.ContainerConfig) {
			c.Command = []string{"sh", "-ec", "mkdir /w; hostname >/w/index.html; exec httpd -f -p 8080 -h /w"}
			c.Linux.SecurityContext.Capabilities = &runtimeapi.Capability{AddCapabilities: []string{"NET_ADMIN", "SYS_ADMIN"}}
		})
		status, err := k.cri.PodSandboxStatus(deadline(t), &runtimeapi.PodSandboxStatusRequest{PodSandboxId: pod})
		succeed(t, err)
		addresses[name], pods[name] = status.Status.Network.Ip, web
		wantText(t, name+"'s interfaces", k.exec(web, "ls /sys/class/net"), "eth0 lo")
		wantText(t, name+"'s address", k.exec(web, "ip -o -4 addr show eth0 | awk '{print $4}'"), addresses[name]+"/24")
	}
	ask := func(address string) string {
		return `for i in $(seq 100); do printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 ` + address + ` 2>/dev/null | tail -n 1 | grep . && exit; sleep 0.1; done; exit 1`
	}
	wantText(t, "plain asks mapped", k.exec(pods["plain"], ask(addresses["mapped"]+" 8080")), "mapped")
	wantText(t, "mapped asks plain", k.exec(pods["mapped"], ask(addresses["plain"]+" 8080")), "plain")
	if testbed.HasPortMap() {
		wantText(t, "by the host's port", k.exec(pods["plain"], ask("10.244.0.1 30081")), "mapped")
		wantText(t, "by the host's port", k.exec(pods["mapped"], ask("10.244.0.1 30080")), "plain")
	} else {
		t.Log("without ports of the host: nft is not installed (tools/deps.sh test)")
	}
	// The network of one is its user namespace's, that of the other the host's.
	const administer = "ip link add own0 type bridge && ip link set own0 up && ip route add 192.0.2.0/24 dev own0 && mount -t sysfs sysfs /tmp && ls /tmp/class/net"
	wantText(t, "the administrator", k.exec(pods["mapped"], administer), "eth0 lo own0")
	for _, script := range []string{"ip link add own0 type bridge", "ip addr add 192.0.2.3/24 dev eth0", "mount -t sysfs sysfs /tmp"} {
		if got := k.exec(pods["plain"], "("+script+") 2>/dev/null && echo done || echo refused"); got != "refused" {
			t.Errorf("a pod without hostUsers: false: %s: %s", script, got)
		}
	}
}

// TestP21_CRIPod: what one pod of several containers has in common, and what each has of its own.
func TestP21_CRIPod(t *testing.T) {
	d := criBed(t, testbed.Options{})
	for name, users := range map[string]*runtimeapi.UserNamespace{"plain": nil, "mapped": ownUsers(30 << 20)} {
		t.Run(name, func(t *testing.T) {
			k := kubelet{t, d, d.CRI()}
			config := k.podOf(name, func(p *runtimeapi.PodSandboxConfig) { p.Linux.SecurityContext.NamespaceOptions.UsernsOptions = users })
			pod, err := k.try(testbed.HandlerPath, config)
			succeed(t, err)
			init := k.inPod(pod, config, "init", func(c *runtimeapi.ContainerConfig) {
				c.Command = []string{"sh", "-c", "readlink /proc/self/ns/user; echo oops >&2; exit 3"}
			})
			if code := k.ended(init).ExitCode; code != 3 {
				t.Errorf("the init container ended with %d", code)
			}
			log := readFile(t, filepath.Join(config.LogDirectory, "init.log"))
			for _, want := range []string{" stdout F " + userNS(t, k.pid(pod)), " stderr F oops"} {
				if !strings.Contains(log, want) {
					t.Errorf("the log %q lacks %q", log, want)
				}
			}
			web := k.inPod(pod, config, "web", func(c *runtimeapi.ContainerConfig) {
				c.Linux.Resources = &runtimeapi.LinuxContainerResources{MemoryLimitInBytes: 64 << 20, CpuQuota: 50_000, CpuPeriod: 100_000, CpuShares: 256}
			})
			// An ephemeral container shares the processes of the one that it looks at.
			debug := k.inPod(pod, config, "debug", func(c *runtimeapi.ContainerConfig) {
				c.Linux.SecurityContext.NamespaceOptions = &runtimeapi.NamespaceOption{
					Pid: runtimeapi.NamespaceMode_TARGET, TargetId: web, UsernsOptions: users,
				}
			})
			wantText(t, "processes that the ephemeral container sees", k.exec(debug, "grep -lx sleep /proc/[0-9]*/comm | wc -l"), "2")
			wantText(t, "its users", k.exec(debug, "readlink /proc/self/ns/user"), userNS(t, k.pid(pod)))
			if shims, err := d.Shims(""); err != nil || len(shims) != 1 {
				t.Errorf("shims of the pod: %v, %v", shims, err)
			}
			k.resize(web)
			succeed(t, d.Relaunch())
			k.cri = d.CRI()
			wantText(t, "after a restart of containerd", k.exec(web, "readlink /proc/self/ns/user"), userNS(t, k.pid(pod)))
			late := k.inPod(pod, config, "late", nil)
			wantText(t, "a container made after it", k.exec(late, "readlink /proc/self/ns/user"), userNS(t, k.pid(pod)))
			stats, err := k.cri.ContainerStats(deadline(t), &runtimeapi.ContainerStatsRequest{ContainerId: web})
			succeed(t, err)
			if stats.Stats.GetMemory().GetWorkingSetBytes().GetValue() == 0 {
				t.Errorf("memory in use: %v", stats.Stats)
			}
			_, err = k.cri.StopContainer(deadline(t), &runtimeapi.StopContainerRequest{ContainerId: late})
			succeed(t, err)
			if code := k.ended(late).ExitCode; code != 137 {
				t.Errorf("the stopped container ended with %d", code)
			}
			k.remove(pod)
			checkClean(t, d)
		})
	}
}

// resize changes the limits of a container that lives, which it sees.
func (k kubelet) resize(container string) {
	k.Helper()
	for _, mib := range []int64{128, 48} {
		_, err := k.cri.UpdateContainerResources(deadline(k.T), &runtimeapi.UpdateContainerResourcesRequest{
			ContainerId: container,
			Linux:       &runtimeapi.LinuxContainerResources{MemoryLimitInBytes: mib << 20, CpuQuota: 100_000, CpuPeriod: 100_000},
		})
		succeed(k.T, err)
		eventually(k.T, "memory after a resize", func() (string, bool) { // what was read last is valid for a moment
			got := strings.TrimSpace(k.exec(container, "awk '/^MemTotal/ {print $2}' /proc/meminfo"))
			return got, got == strconv.FormatInt(mib<<10, 10)
		})
	}
	eventually(k.T, "processors after a resize", func() (string, bool) {
		got := strings.TrimSpace(k.exec(container, "grep -c ^processor /proc/cpuinfo"))
		return got, got == "1"
	})
}
