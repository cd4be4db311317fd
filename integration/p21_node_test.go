package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/eci-runtime/eci/integration/testbed"
)

// kubeletDir is where a kubelet keeps volumes; the policy knows it by this name.
const kubeletDir = "/var/lib/kubelet"

// clusterNode is a Kubernetes of one node: the kubelet, whose containers are the bed's, and a
// control plane for it.
type clusterNode struct {
	*testing.T
	bed *testbed.Daemon
	dir string
	ps  *osexec.Cmd // all programs of Kubernetes, a process group
}

// newNode starts one and waits until it is ready.
func newNode(t *testing.T, config string) *clusterNode {
	t.Helper()
	needRoot(t)
	d := freshBed(t, testbed.Options{CRI: true, Bridge: true, Config: config})
	clusterPrograms(t, d)
	images, err := buildImages()
	succeed(t, err, d.ImportPodImages(deadline(t), images[0]))
	n := &clusterNode{T: t, bed: d, dir: filepath.Join(d.Dir, "node")}
	found, err := os.ReadDir(kubeletDir)
	if len(found) > 0 {
		t.Skipf("this machine is a node of a cluster: %s is not empty", kubeletDir)
	}
	if errors.Is(err, os.ErrNotExist) {
		t.Cleanup(func() { succeedLater(t, os.Remove(kubeletDir)) })
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	succeed(t, err, os.MkdirAll(n.path("kubelet"), 0o755), os.MkdirAll(kubeletDir, 0o755),
		os.WriteFile(n.path("sa.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600),
		unix.Mount(n.path("kubelet"), kubeletDir, "", unix.MS_BIND, ""), unix.Mount("", kubeletDir, "", unix.MS_SHARED, ""))
	t.Cleanup(n.close)
	n.boot()
	return n
}

func (n *clusterNode) path(name string) string { return filepath.Join(n.dir, name) }

// env is that of all programs of Kubernetes.
func (n *clusterNode) env() []string {
	bin := n.bed.Programs.Dir
	return append(os.Environ(), "PATH="+filepath.Join(bin, "kubernetes")+":"+bin+":"+os.Getenv("PATH"),
		"DIR="+n.dir, "NODE=node", "SOCKET="+n.bed.Address, "CGROUP="+n.bed.Cgroup(), "KUBECONFIG="+n.path("admin.conf"))
}

// boot starts the programs and waits for the node.
func (n *clusterNode) boot() {
	n.Helper()
	checkout, err := testbed.Checkout()
	succeed(n.T, err)
	succeed(n.T, testbed.MakeCgroups(n.bed.Cgroup()))
	log, err := os.Create(n.path("node.log"))
	succeed(n.T, err)
	defer log.Close()
	n.ps = osexec.Command("unshare", "--mount", "--propagation", "unchanged", "sh", filepath.Join(checkout, "integration/cluster/node.sh"))
	n.ps.Env, n.ps.Stdout, n.ps.Stderr = n.env(), log, log
	n.ps.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	succeed(n.T, n.bed.InNetwork(n.ps.Start))
	n.await("kubectl get nodes --no-headers", "node +Ready ")
	n.await("kubectl get serviceaccount default", "default")
}

// halt ends the programs at once; containers live on.
func (n *clusterNode) halt() {
	if n.ps == nil || n.ps.Process == nil {
		return
	}
	_ = syscall.Kill(-n.ps.Process.Pid, syscall.SIGKILL)
	_ = n.ps.Wait()
	n.ps = nil
}

// close deletes all pods and whatever the kubelet leaves to the next one.
func (n *clusterNode) close() {
	if n.Failed() {
		out, _ := n.try("kubectl get pods -o wide; kubectl get events | tail -n 30; tail -n 15 " + n.path("node.log") + "; grep -h '^[EF]' " + n.path("log/kubelet.log") + " | tail -n 20")
		n.Log(out)
	}
	_ = os.RemoveAll(n.path("manifests"))
	if out, err := n.try("kubectl delete pods --all --all-namespaces --grace-period=1 --timeout=60s"); err != nil {
		n.Errorf("delete all pods: %v: %s", err, out)
	}
	n.halt()
	n.removePods()
	n.unmountVolumes()
	succeed(n.T, unix.Unmount(kubeletDir, unix.MNT_DETACH))
	succeed(n.T, testbed.RemoveCgroups(n.bed.Cgroup()))
	checkClean(n.T, n.bed)
}

// unmountVolumes unmounts what kubelets have mounted.
func (n *clusterNode) unmountVolumes() {
	for _, point := range slices.Backward(testbed.MountsBelow(kubeletDir)) {
		_ = unix.Unmount(point, unix.MNT_DETACH)
	}
}

// reboot does what a reboot of the machine does: no process lives on, nor what lay in memory.
func (n *clusterNode) reboot() {
	n.Helper()
	n.halt()
	succeed(n.T, n.bed.Reboot())
	n.unmountVolumes()
	n.boot()
}

// removePods has containerd delete what pods are left.
func (n *clusterNode) removePods() {
	cri := n.bed.CRI()
	pods, err := cri.ListPodSandbox(deadline(n.T), &runtimeapi.ListPodSandboxRequest{})
	if err != nil {
		n.Error(err)
	}
	for _, pod := range pods.GetItems() {
		if _, err := cri.StopPodSandbox(deadline(n.T), &runtimeapi.StopPodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
			n.Error(err)
		}
		if _, err := cri.RemovePodSandbox(deadline(n.T), &runtimeapi.RemovePodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
			n.Error(err)
		}
	}
}

// try runs a script in the node's network.
func (n *clusterNode) try(script string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := osexec.CommandContext(ctx, "sh", "-c", script)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = n.env(), &out, &out
	err := n.bed.InNetwork(cmd.Run)
	return out.String(), err
}

// run is try for what must end well.
func (n *clusterNode) run(script string) string {
	n.Helper()
	out, err := n.try(script)
	if err != nil {
		n.Fatalf("%s: %v: %s", script, err, out)
	}
	return strings.TrimSpace(out)
}

// apply makes objects.
func (n *clusterNode) apply(objects string) {
	n.Helper()
	path := n.path("objects.yaml")
	succeed(n.T, os.WriteFile(path, []byte(objects), 0o600))
	n.run("kubectl apply -f " + path)
}

// exec runs a script in a container of a pod; words are separated by single spaces.
func (n *clusterNode) exec(pod, container, script string) string {
	n.Helper()
	path := n.path("script")
	succeed(n.T, os.WriteFile(path, []byte(script), 0o600))
	return strings.Join(strings.Fields(n.run(fmt.Sprintf("kubectl exec -i %s -c %s -- sh -e <%s", pod, container, path))), " ")
}

// await repeats a script until its output matches a pattern.
func (n *clusterNode) await(script, pattern string) string {
	n.Helper()
	want, last := regexp.MustCompile(pattern), ""
	for end := time.Now().Add(3 * patience); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if last, _ = n.try(script); want.MatchString(last) {
			return last
		}
	}
	n.Fatalf("%s: no %q in the end, but %s", script, pattern, last)
	return ""
}

// ready waits for pods.
func (n *clusterNode) ready(pods ...string) {
	n.Helper()
	for _, pod := range pods {
		n.await("kubectl wait pod/"+pod+" --for=condition=Ready --timeout=5s", "condition met")
	}
}

// refusal waits until the kubelet says, as an event of a pod, why it does not start.
func (n *clusterNode) refusal(pod string, want ...string) {
	n.Helper()
	quoted := make([]string, len(want))
	for i, w := range want {
		quoted[i] = regexp.QuoteMeta(w)
	}
	n.await("kubectl get events --field-selector involvedObject.name="+pod+" -o jsonpath='{range .items[*]}{.reason}: {.message}{\"\\n\"}{end}'", strings.Join(quoted, ".*"))
}

// get asks a web server in the node's network, again while nobody answers, and returns its page.
func (n *clusterNode) get(address string) string {
	n.Helper()
	page := func() (string, error) {
		var conn net.Conn
		err := n.bed.InNetwork(func() (err error) {
			conn, err = net.Dial("tcp", address)
			return err
		})
		if err != nil {
			return "", err
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			return "", err
		}
		answer, err := io.ReadAll(conn)
		_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
		return body, err
	}
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		body, err := page()
		if err == nil && body != "" {
			return body
		}
		last = err
	}
	n.Fatalf("%s does not answer: %v", address, last)
	return ""
}

// restartKubelet kills the kubelet and waits for its successor.
func (n *clusterNode) restartKubelet() {
	n.Helper()
	before := n.run("cat " + n.path("kubelet.pid"))
	n.run("kill -9 " + before)
	n.await("cat "+n.path("kubelet.pid")+"; kill -0 $(cat "+n.path("kubelet.pid")+") && echo lives", "lives")
	for n.run("cat "+n.path("kubelet.pid")) == before {
		runtime.Gosched()
	}
}
