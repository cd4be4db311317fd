package integration

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP21_Kubelet: what a kubelet does with pods, and users with kubectl. It takes minutes.
func TestP21_Kubelet(t *testing.T) {
	n := newNode(t, "")
	volume := n.path("volume")
	succeed(t, os.MkdirAll(kubeletDir+"/seccomp", 0o755), os.WriteFile(kubeletDir+"/seccomp/no-mkdir.json", []byte(noMkdir), 0o600),
		os.Mkdir(volume, 0o755), os.Chown(volume, 1000, 1001))
	n.apply(runtimeClasses)
	for i, pod := range []string{"plain", "mapped"} {
		n.apply(strings.NewReplacer("NAME", pod, "HOSTUSERS", fmt.Sprint(pod == "plain"), "HOST", volume, "PORT", fmt.Sprint(30081+i)).Replace(everything))
	}
	n.apply(contexts + simplePod("privileged", "sleep 100000", "", "    securityContext: {privileged: true}"))
	for _, step := range []struct {
		name string
		test func(*clusterNode)
	}{
		{"plain", func(n *clusterNode) { n.everything("plain") }},
		{"host-users-false", func(n *clusterNode) { n.everything("mapped") }},
		{"contexts", (*clusterNode).contexts},
		{"refused", (*clusterNode).refused},
		{"ends", (*clusterNode).ends},
		{"runtime-class", (*clusterNode).classes},
		{"attach", (*clusterNode).attach},
		{"static", (*clusterNode).static},
		{"restarts", (*clusterNode).restarts},
		{"reboot", (*clusterNode).rebooted},
	} {
		t.Run(step.name, func(t *testing.T) {
			before := n.T
			n.T = t
			defer func() { n.T = before }()
			step.test(n)
		})
	}
}

// everything is what is to be seen in a pod with all kinds of containers and volumes.
func (n *clusterNode) everything(pod string) {
	n.ready(pod)
	in := func(container, what, script, want string) {
		n.Helper()
		wantText(n.T, container+": "+what, n.exec(pod, container, script), want)
	}
	users := n.exec(pod, "main", "readlink /proc/self/ns/user")
	in("main", "user namespace of an init container", "cat /disk/init", users)
	in("sidecar", "user namespace", "readlink /proc/self/ns/user", users)
	in("user", "user namespace", "readlink /proc/self/ns/user", users)
	n.oneShim(pod)

	// Owners: the kubelet makes everything root's and of fsGroup.
	const owners = "stat -L -c %n=%u:%g:%a "
	in("main", "owners on disk", owners+"/disk /disk/init /sub /config/key /key", "/disk=0:2000:2777 /disk/init=0:2000:644 /sub=0:2000:2777 /config/key=0:2000:644 /key=0:2000:644")
	in("main", "owners in memory", owners+"/memory /memory/init /secret/password /both/key /both/password /downward/labels",
		"/memory=0:2000:3777 /memory/init=0:2000:644 /secret/password=0:2000:440 /both/key=0:2000:644 /both/password=0:2000:644 /downward/labels=0:2000:644")
	in("main", "kinds of file systems", "for d in /memory /secret /both /downward /var/run/secrets/kubernetes.io/serviceaccount; do stat -f -c %T $d; done | sort -u", "tmpfs")
	in("main", "contents", "cat /config/key /key /secret/password /both/key /both/password; echo; cat /downward/labels; echo; wc -c </var/run/secrets/kubernetes.io/serviceaccount/namespace",
		`valuevaluehushvaluehush app="`+pod+`" 7`)
	in("user", "identity", "id -u; id -g; id -G", "1000 1001 1001 10 2000 3000")
	in("user", "files", "touch /disk/mine /memory/mine; cat /secret/password; echo; "+owners+"/disk/mine /memory/mine", "hush /disk/mine=1000:2000:644 /memory/mine=1000:2000:644")
	in("user", "what is not its own", "(echo >/disk/init) 2>/dev/null || (cat /proc/1/environ) 2>/dev/null || echo refused", "refused")
	in("main", "size of a tmpfs", "df -k /memory | awk 'END {print $2}'", "8192")
	in("main", "volume of the host", "touch /host/"+pod+"; stat -c %u:%g /host /host/"+pod, "1000:1001 0:0")
	wantText(n.T, "its owner on the host", n.run("stat -c %u:%g "+n.path("volume/"+pod)), "0:0")

	in("main", "shared processes", "cat /proc/1/comm; grep -lx httpd /proc/[0-9]*/comm | wc -l; grep -lx sleep /proc/[0-9]*/comm | wc -l", "sleep 1 3")
	in("main", "sysctls", "cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/shm_rmid_forced", "20000 30000 1")
	in("main", "postStart", "ls /started", "/started")
	in("main", "memory", "awk '/^MemTotal/ {print $2}' /proc/meminfo", "65536")

	wantText(n.T, "logs", n.run("kubectl logs "+pod+" -c main"), "hello from "+pod)
	n.run("echo words >" + n.path("words") + "; kubectl cp " + n.path("words") + " " + pod + ":/disk/words -c main; kubectl cp " + pod + ":/disk/words " + n.path("back") + " -c main")
	wantText(n.T, "copied there and back", readFile(n.T, n.path("back")), "words")
	in("main", "owner of what was copied", "stat -c %u /disk/words", "0")
	n.forwards(pod)
	if testbed.HasPortMap() {
		wantText(n.T, "by the host's port", n.get("10.0.0.2:"+map[string]string{"plain": "30081", "mapped": "30082"}[pod]), "page")
	}

	n.run("kubectl debug " + pod + " --image=eci.test/busybox:latest --image-pull-policy=Never --target=main -c debug --profile=general -- sleep 100000")
	n.await("kubectl get pod "+pod+" -o jsonpath='{.status.ephemeralContainerStatuses[0].state}'", "running")
	in("debug", "ephemeral container", "readlink /proc/self/ns/user; grep -lx httpd /proc/[0-9]*/comm | wc -l", users+" 1")

	n.run("kubectl patch pod " + pod + ` --subresource resize -p '{"spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "128Mi", "cpu": "400m"}}}]}}'`)
	n.await("kubectl exec "+pod+" -c main -- grep ^MemTotal /proc/meminfo", " 131072 kB")
	wantText(n.T, "restarts", n.restartCounts(pod), "0 0 0 0")
}

// forwards asks a pod's server by way of the kubelet and containerd.
func (n *clusterNode) forwards(pod string) {
	n.Helper()
	forward := osexec.Command("sh", "-c", "exec kubectl port-forward "+pod+" 9090:8080")
	forward.Env = n.env()
	succeed(n.T, n.bed.InNetwork(forward.Start))
	wantText(n.T, "port-forward", n.get("127.0.0.1:9090"), "page")
	_ = forward.Process.Kill()
	_ = forward.Wait()
}

// restartCounts are those of a pod's containers, init containers included.
func (n *clusterNode) restartCounts(pod string) string {
	n.Helper()
	return n.run("kubectl get pod " + pod + " -o jsonpath='{.status.initContainerStatuses[*].restartCount} {.status.containerStatuses[*].restartCount}'")
}

// oneShim asserts that one process serves all of a pod.
func (n *clusterNode) oneShim(pod string) {
	n.Helper()
	shims, err := n.bed.Shims("")
	succeed(n.T, err)
	found := 0
	for _, shim := range shims {
		for _, id := range strings.Fields(n.run("kubectl get pod " + pod + " -o jsonpath='{.status.containerStatuses[*].containerID}'")) {
			if strings.Contains(strings.Join(shim.Args, " "), strings.TrimPrefix(id, "containerd://")) {
				found++
			}
		}
	}
	if found != 0 {
		n.Errorf("%d containers of %s have shims of their own: %v", found, pod, shims)
	}
}

// contexts is what is to be seen with each kind of security context.
func (n *clusterNode) contexts() {
	n.ready("contexts", "privileged")
	wantText(n.T, "a privileged pod without users of its own", n.exec("privileged", "main", "mount -t tmpfs x /tmp && umount /tmp; (ip link add own0 type bridge) 2>/dev/null || echo refused; "+
		"for d in /dev/[svx]d[a-z]; do dd if=$d of=/dev/null bs=512 count=1 2>/dev/null && echo opened $d; done; true"), "refused")
	in := func(container, script, want string) {
		n.Helper()
		wantText(n.T, container+": "+script, n.exec("contexts", container, script), want)
	}
	const status = "awk '/^(CapBnd|CapEff|NoNewPrivs|Seccomp):/ {print $2}' /proc/self/status"
	in("restricted", status, "0000000000000000 0000000000000400 1 2")
	in("restricted", "id -u; id -g; touch /new 2>/dev/null || echo read-only", "1000 1001 read-only")
	in("privileged", "mount -t tmpfs x /tmp && umount /tmp; ip link add own0 type bridge && ip link del own0; grep -c ' 0 *0 ' /proc/self/uid_map || true", "0")
	in("privileged", "for d in /dev/[svx]d[a-z]; do dd if=$d of=/dev/null bs=512 count=1 2>/dev/null && echo opened $d; done; true", "")
	in("unmasked", "mount -t proc proc /tmp && ls /tmp/1/comm; grep -cE ' /proc/(keys|timer_list|bus) ' /proc/self/mounts || true", "/tmp/1/comm 0")
	in("profile", "mkdir /new 2>/dev/null || echo refused; touch /other && ls /other", "refused /other")
}

// refused is what a pod's events say where the policy does not let it be.
func (n *clusterNode) refused() {
	const wait = "sleep 100000"
	n.apply(simplePod("net", wait, "  hostNetwork: true", "") + simplePod("pid", wait, "  hostPID: true", "") + simplePod("ipc", wait, "  hostIPC: true", "") +
		simplePod("shadow", wait, "  volumes: [{name: v, hostPath: {path: /etc/shadow}}]", "    volumeMounts: [{name: v, mountPath: /v}]") +
		simplePod("node", wait, "  volumes: [{name: v, hostPath: {path: "+kubeletDir+"}}]", "    volumeMounts: [{name: v, mountPath: /v}]") +
		simplePod("image", wait, "  volumes: [{name: v, image: {reference: 'eci.test/busybox:latest', pullPolicy: Never}}]", "    volumeMounts: [{name: v, mountPath: /v}]"))
	n.apply(simplePod("both", wait, "  volumes: [{name: v, emptyDir: {}}]", "    securityContext: {privileged: true}\n    volumeMounts: [{name: v, mountPath: /v, mountPropagation: Bidirectional}]") +
		simplePod("follows", wait, "  volumes: [{name: v, emptyDir: {}}]", "    volumeMounts: [{name: v, mountPath: /v, mountPropagation: HostToContainer}]"))
	const namespaces = "eci containers can't share namespaces [%s] with the host"
	n.refusal("net", "FailedCreatePodSandBox", fmt.Sprintf(namespaces, "network uts"), "rule host-namespace")
	n.refusal("pid", "FailedCreatePodSandBox", fmt.Sprintf(namespaces, "pid"), "rule host-namespace")
	n.refusal("ipc", "FailedCreatePodSandBox", fmt.Sprintf(namespaces, "ipc"), "rule host-namespace")
	n.refusal("shadow", "Failed", "error in the container spec: can't mount /etc/shadow because it's configured as a restricted host mount")
	n.refusal("node", "Failed", "error in the container spec: can't mount "+kubeletDir+" because it's configured as a restricted host mount")
	n.refusal("image", "Failed", "because it is or holds an overlay")
	n.propagation()
	n.run("kubectl delete pod net pid ipc shadow node image both follows --grace-period=1")
}

// propagation is about pods that want mounts to go further than they do: what is mounted inside
// stays there, and what the host mounts later in a volume is seen, but is nobody's.
func (n *clusterNode) propagation() {
	n.ready("both", "follows")
	source := func(pod string) string {
		return filepath.Join(kubeletDir, "pods", n.run("kubectl get pod "+pod+" -o jsonpath='{.metadata.uid}'"), "volumes/kubernetes.io~empty-dir/v")
	}
	n.exec("both", "main", "mkdir /v/inner; mount -t tmpfs inner /v/inner; touch /v/inner/file")
	if found := testbed.MountsBelow(source("both")); len(found) > 0 {
		n.Errorf("mounts of a pod are seen on the host: %v", found)
	}
	outer := filepath.Join(source("follows"), "outer")
	succeed(n.T, os.Mkdir(outer, 0o755), unix.Mount("outer", outer, "tmpfs", 0, ""))
	wantText(n.T, "what the host mounts later", n.exec("follows", "main", "grep -c ^outer /proc/self/mounts; stat -c %u:%g /v/outer"), "1 65534:65534")
	succeed(n.T, unix.Unmount(outer, 0))
}

// ends is what the kubelet says of containers that have ended.
func (n *clusterNode) ends() {
	n.apply(simplePod("message", "echo last words >/dev/termination-log; exit 3", "  restartPolicy: Never", "") +
		simplePod("greedy", "tail /dev/zero", "  restartPolicy: Never", "    resources: {limits: {memory: 24Mi}}") +
		simplePod("again", "echo once more; exit 1", "  restartPolicy: OnFailure", ""))
	const state = ` -o jsonpath='{.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.message}'`
	n.await("kubectl get pod message"+state, "^3 Error last words")
	n.await("kubectl get pod greedy"+state, "^137 OOMKilled")
	n.await("kubectl get pod again -o jsonpath='{.status.containerStatuses[0].restartCount}'", "^[1-9]")
	n.run("kubectl delete pod message greedy again --grace-period=1")
}

// classes is what a RuntimeClass adds to a pod.
func (n *clusterNode) classes() {
	n.apply(simplePod("costs", "sleep 100000", "", "    resources: {limits: {memory: 64Mi, cpu: 100m}}") +
		strings.Replace(simplePod("homeless", "sleep 100000", "", ""), "runtimeClassName: eci", "runtimeClassName: nowhere", 1))
	n.ready("costs")
	wantText(n.T, "overhead", n.run("kubectl get pod costs -o jsonpath='{.spec.overhead.memory} {.spec.nodeSelector.eci}'"), "24Mi yes")
	uid := n.run("kubectl get pod costs -o jsonpath='{.metadata.uid}'")
	var limit []byte
	for _, dir := range testbed.CgroupDirs(n.bed.Cgroup()) {
		for _, file := range []string{"memory.limit_in_bytes", "memory.max"} {
			if found, _ := filepath.Glob(filepath.Join(dir, "kubepods/pod"+uid, file)); len(found) == 1 {
				limit, _ = os.ReadFile(found[0])
			}
		}
	}
	wantText(n.T, "the pod's limit", string(limit), fmt.Sprint((64+24)<<20))
	n.refusal("homeless", "FailedScheduling", "didn't match Pod's node affinity/selector")
	n.run("kubectl delete pod costs homeless --grace-period=1")
}

// attach is about input and output of a container's first process.
func (n *clusterNode) attach() {
	n.apply(simplePod("talks", "while read line; do echo heard $line; done", "", "    stdin: true"))
	n.ready("talks")
	n.await("echo words | timeout 10 kubectl attach -i talks", "heard words")
	n.await("kubectl logs talks", "heard words")
	n.run("kubectl delete pod talks --grace-period=1")
}

// static is a pod of the kubelet's own.
func (n *clusterNode) static() {
	manifest := n.path("manifests/static.yaml")
	succeed(n.T, os.WriteFile(manifest, []byte(strings.TrimPrefix(simplePod("static", "sleep 100000", "", ""), "---\n")), 0o600))
	n.await("kubectl get pod static-node", "Running")
	n.ready("static-node")
	wantText(n.T, "its class", n.run("kubectl get pod static-node -o jsonpath='{.spec.runtimeClassName}'"), "eci")
	if got := n.exec("static-node", "main", "cat /proc/self/uid_map"); strings.HasPrefix(got, "0 0 ") {
		n.Errorf("a static pod has the mapping %q", got)
	}
	succeed(n.T, os.Remove(manifest))
	n.await("kubectl get pod static-node", "NotFound")
}

// restarts are those of the kubelet and of containerd: containers live on.
func (n *clusterNode) restarts() {
	const ids = "kubectl get pod plain mapped -o jsonpath='{.items[*].status.containerStatuses[*].containerID}'"
	before := n.run(ids)
	n.restartKubelet()
	n.apply(simplePod("later", "sleep 100000", "", ""))
	n.ready("later")
	succeed(n.T, n.bed.Relaunch())
	n.await("kubectl get nodes --no-headers", "node +Ready ")
	for _, pod := range []string{"plain", "mapped"} {
		n.await("kubectl exec "+pod+" -c main -- echo lives", "^lives")
		n.run("kubectl wait pod/" + pod + " --for=condition=Ready --timeout=60s")
		wantText(n.T, "restarts", n.restartCounts(pod), "0 0 0 0")
	}
	wantText(n.T, "containers", n.run(ids), before)
	n.run("kubectl delete pod later --grace-period=1")
	n.apply(simplePod("after", "sleep 100000", "  hostUsers: false", ""))
	n.ready("after")
	n.run("kubectl delete pod after --grace-period=1")
}

// rebooted is the node after a loss of everything that is not on disk.
func (n *clusterNode) rebooted() {
	n.run("kubectl delete pod contexts privileged --grace-period=1; kubectl exec mapped -c main -- sh -c 'echo kept >/disk/kept'")
	n.reboot()
	for _, pod := range []string{"plain", "mapped"} {
		n.await("kubectl exec "+pod+" -c main -- sh -c 'ls /started && [ ! -e /memory/mine ] && echo anew'", "anew")
		n.ready(pod)
	}
	wantText(n.T, "a volume on disk", n.exec("mapped", "main", "cat /disk/kept; stat -c %u:%g /disk/kept"), "kept 0:2000")
}
