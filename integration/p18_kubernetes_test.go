package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// cluster is a Kubernetes of one node in one container, as kind makes it.
type cluster struct {
	*testing.T
	name    string
	task    *testbed.Task
	started time.Time
}

// clusterPrograms skips the test where `make kubernetes` was not run, which takes ten minutes.
func clusterPrograms(t *testing.T, d *testbed.Daemon) string {
	t.Helper()
	dir := filepath.Join(d.Programs.Dir, "kubernetes")
	if _, err := os.Stat(filepath.Join(dir, "kubelet")); err != nil {
		t.Skipf("Kubernetes is not built: run `make kubernetes` (%v)", err)
	}
	return dir
}

// podImages are archives of busybox, under its own name and as the first container of pods.
func podImages(t *testing.T) string {
	t.Helper()
	images, err := buildImages()
	succeed(t, err)
	dir := t.TempDir()
	pause := images[0]
	pause.Name, pause.Config.Cmd = testbed.PauseName, []string{"sleep", "100000"}
	for name, image := range map[string]testbed.Image{"busybox.tar": images[0], "pause.tar": pause} {
		f, err := os.Create(filepath.Join(dir, name))
		succeed(t, err, image.Archive(f), f.Close())
	}
	return dir
}

// nodeMemory is the limit of a node's container, in bytes, and so what the node has for pods.
const nodeMemory = 4 << 30

// newCluster starts one, and waits for its programs, not for its node.
func newCluster(t *testing.T, name, proxy, images string) cluster {
	t.Helper()
	d := debianBed(t, testbed.WorkloadsName)
	checkout, err := testbed.Checkout()
	succeed(t, err)
	mounts := []specs.Mount{
		testbed.Bind(clusterPrograms(t, d), "/opt/kubernetes", "ro"),
		testbed.Bind(d.Programs.Dir, "/opt/eci", "ro"),
		testbed.Bind(images, "/opt/images", "ro"),
		testbed.Bind(filepath.Join(checkout, "integration/cluster"), "/opt/cluster", "ro"),
		{Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "rw"}},
	}
	c := cluster{T: t, name: name, started: time.Now()}
	c.task = startDebian(t, testbed.Container{
		Image: testbed.WorkloadsName, ID: d.UniqueID(name), Privileged: true,
		Spec: specOf(withPrivileges, readWrite, limited(limits{memory: nodeMemory}), func(s *specs.Spec) { s.Hostname = name }),
		Args: []string{"sh", "/opt/cluster/start.sh"}, Env: []string{"NODE=" + name, "PROXY=" + proxy}, Mounts: mounts,
	})
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := c.try("tail -n 25 /var/log/cluster/*.log; ctr -n k8s.io tasks ls")
			t.Logf("%s: %s", name, out)
		}
	})
	return c
}

// try runs a script in the node, which may fail.
func (c cluster) try(script string) (string, uint32) {
	return shellAny(c.T, c.task, `export PATH=/opt/kubernetes:/opt/eci:$PATH KUBECONFIG=/etc/kubernetes/admin.conf
`+script)
}

// run runs a script in the node.
func (c cluster) run(script string) string {
	c.Helper()
	out, code := c.try("set -e\n" + script)
	if code != 0 {
		c.Fatalf("%s: %s: status %d: %s", c.name, script, code, out)
	}
	return out
}

// await repeats a script, for as long as a cluster may take on a busy machine, until its output
// matches a pattern.
func (c cluster) await(script, pattern string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 3*patience)
	defer cancel()
	want, last := regexp.MustCompile(pattern), ""
	for ctx.Err() == nil {
		if last, _ = c.try(script); want.MatchString(last) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	c.Fatalf("%s: %s: no %q in the end, but %s", c.name, script, pattern, last)
}

// web are two servers with a service before them, and a pod that asks.
const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: eci.test/busybox:latest
        imagePullPolicy: Never
        command: [sh, -ec, "mkdir /w; hostname >/w/index.html; echo served by $(hostname) in CLUSTER; exec httpd -f -p 8080 -h /w"]
        resources: {requests: {memory: 16Mi, cpu: 10m}, limits: {memory: 64Mi, cpu: 500m}}
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.80
  selector: {app: web}
  type: NodePort
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: client
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]
    volumeMounts: [{name: memory, mountPath: /memory}, {name: shared, mountPath: /shared}]
  volumes: [{name: memory, emptyDir: {medium: Memory}}, {name: shared, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec:
  hostNetwork: true
  hostPID: true
  terminationGracePeriodSeconds: 0
  containers:
  - name: agent
    image: eci.test/busybox:latest
    imagePullPolicy: Never
    command: [sleep, "100000"]
    securityContext: {privileged: true}
    volumeMounts: [{name: node, mountPath: /node}]
  volumes: [{name: node, hostPath: {path: /etc}}]
---
apiVersion: v1
kind: Pod
metadata: {name: mapped}
spec:
  hostUsers: false
  terminationGracePeriodSeconds: 0
  containers:
  - {name: mapped, image: eci.test/busybox:latest, imagePullPolicy: Never, command: [sleep, "100000"]}
`

// get asks a server with nc: wget of Debian's static busybox looks for the name of its port, with
// a C library that the image does not have.
const get = `printf "GET / HTTP/1.0\r\n\r\n" | nc -w 5 `

// works is what a user does with a cluster.
func (c cluster) works() {
	c.await("kubectl get nodes --no-headers", c.name+` +Ready `)
	c.Logf("the node is ready %s after its container's start", time.Since(c.started).Round(time.Second))
	wantText(c.T, "the node's memory", c.run(`kubectl get node -o jsonpath='{.items[0].status.capacity.memory}'`), fmt.Sprintf("%dGi", nodeMemory>>30))
	wantText(c.T, "settings of the kubelet", c.run("sysctl -n kernel.panic vm.overcommit_memory kernel.keys.root_maxkeys"), "10\n1\n1000000")
	c.await("kubectl get serviceaccount default", "default")
	c.run("cat >/tmp/web.yaml <<'END'\n" + strings.ReplaceAll(web, "CLUSTER", c.name) + "END\nkubectl apply -f /tmp/web.yaml")
	c.await("kubectl rollout status deployment/web --timeout=5s", "successfully rolled out")
	c.await("kubectl wait pod/client pod/agent --for=condition=Ready --timeout=5s", "client condition met\n.*agent condition met")

	wantText(c.T, "exec", c.run("kubectl exec client -- sh -c 'echo kubelet | tr a-z A-Z'"), "KUBELET")
	wantText(c.T, "exec with input", c.run("echo words | kubectl exec -i client -- cat"), "words")
	wantText(c.T, "logs", c.run("kubectl logs -l app=web --tail=1 | grep -c 'served by web-.* in "+c.name+"'"), "2")
	wantText(c.T, "volumes", c.run("kubectl exec client -- sh -c 'stat -f -c %T /memory; echo x >/shared/file; ls /var/run/secrets/kubernetes.io/serviceaccount/token'"),
		"tmpfs\n/var/run/secrets/kubernetes.io/serviceaccount/token")
	wantText(c.T, "a limit", c.run("kubectl exec deployment/web -- sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true'"), "67108864")
	c.await(`kubectl exec client -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do `+get+`10.96.0.80 80 | tail -n 1; done' | sort | uniq -c | grep -c web-`, "^2\n")
	for _, at := range []string{"10.96.0.80 80", "10.0.0.2 30080"} {
		wantText(c.T, "asked by the node", c.run(get+at+" | grep -c ^web-"), "1")
	}
	// What agents of a cluster are: root of the node, which is root of nothing else.
	wantText(c.T, "a privileged pod", c.run(`kubectl exec agent -- sh -c 'hostname; ip -o -4 addr show node0 | grep -c 10.0.0.2; pidof kubelet | wc -w; ls /node/kubernetes/admin.conf; mount -t tmpfs x /tmp && umount /tmp; echo $(cat /proc/self/uid_map)'`),
		c.name+"\n1\n1\n/node/kubernetes/admin.conf\n"+mapping(c.T, c.task))
	wantText(c.T, "port-forward", c.run(`kubectl port-forward service/web 9090:80 >/tmp/forward 2>&1 & p=$!
for i in $(seq 200); do `+get+`127.0.0.1 9090 >/tmp/page 2>/dev/null || true; ! grep -q web- /tmp/page || break; sleep 0.1; done; kill $p; grep -c web- /tmp/page`), "1")
	// The node has no IDs to give away.
	c.await("kubectl get events --field-selector involvedObject.name=mapped", "FailedCreatePodSandBox.*failed to set effective UID")
	c.run("kubectl delete pod client agent mapped --wait=true; kubectl scale deployment/web --replicas=1")
	c.await("kubectl get pods --no-headers | wc -l", "^1\n")
}

// TestP18_Kubernetes: two clusters side by side on one host, one with each of kube-proxy's modes.
// It takes minutes.
func TestP18_Kubernetes(t *testing.T) {
	clusterPrograms(t, bed(t))
	const tracked = "/proc/sys/net/netfilter/nf_conntrack_max"
	before, err := os.ReadFile(tracked)
	succeed(t, err)
	t.Cleanup(func() { // the last: the clusters are gone
		checkClean(t, bed(t))
		after, err := os.ReadFile(tracked)
		succeed(t, err)
		wantText(t, "the host's "+tracked, string(after), strings.TrimSpace(string(before)))
	})
	images := podImages(t)
	a, b := newCluster(t, "north", "iptables", images), newCluster(t, "south", "nftables", images)
	for _, c := range []cluster{a, b} {
		if !t.Run(c.name, func(t *testing.T) {
			c.T = t
			c.works()
		}) {
			return
		}
	}
	t.Run("apart", func(t *testing.T) {
		a.T, b.T = t, t
		wantText(t, "nodes", a.run("kubectl get nodes -o name")+b.run("kubectl get nodes -o name"), "node/north\nnode/south")
		a.run("kubectl delete deployment web")
		a.await("kubectl get pods --no-headers 2>&1 | wc -l; ctr -n k8s.io containers ls -q | wc -l", "^1\n0\n")
		wantText(t, "the other's pods", b.run("kubectl get pods --no-headers | grep -c Running"), "1")
	})
}
