package integration

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// apiServer is a kube-apiserver with its etcd on the loopback interface, and nothing else.
type apiServer struct {
	*testing.T
	bin, dir, config string
	port             string
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	programs, err := testbed.FindPrograms("")
	must(t, err)
	a := &apiServer{T: t, bin: filepath.Join(programs.Dir, "kubernetes"), dir: t.TempDir()}
	if _, err := os.Stat(filepath.Join(a.bin, "kube-apiserver")); err != nil {
		t.Skipf("Kubernetes is not built: run `make kubernetes` (%v)", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	secret := make([]byte, 16)
	_, err = rand.Read(secret)
	token := hex.EncodeToString(secret)
	ports := freePorts(t, 3)
	etcd := "http://127.0.0.1:" + ports[0]
	a.port, a.config = ports[2], filepath.Join(a.dir, "admin.conf")
	succeed(t, err,
		os.WriteFile(filepath.Join(a.dir, "sa.key"), pemKey, 0o600),
		os.WriteFile(filepath.Join(a.dir, "tokens"), []byte(token+",admin,admin,system:masters\n"), 0o600))
	a.start("etcd", "--data-dir", filepath.Join(a.dir, "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
		"--listen-peer-urls", "http://127.0.0.1:"+ports[1], "--initial-advertise-peer-urls", "http://127.0.0.1:"+ports[1],
		"--initial-cluster", "default=http://127.0.0.1:"+ports[1], "--unsafe-no-fsync", "--log-level", "error")
	a.start("kube-apiserver", "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", a.port,
		"--endpoint-reconciler-type", "none", "--cert-dir", a.dir, "--token-auth-file", filepath.Join(a.dir, "tokens"),
		"--allow-privileged=true", "--authorization-mode", "Node,RBAC", "--service-cluster-ip-range", "10.96.0.0/24",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", filepath.Join(a.dir, "sa.key"),
		"--service-account-signing-key-file", filepath.Join(a.dir, "sa.key"))
	a.await(func() bool {
		authority, err := os.ReadFile(filepath.Join(a.dir, "apiserver.crt"))
		if err != nil || len(authority) == 0 {
			return false
		}
		must(t, os.WriteFile(a.config, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%s", certificate-authority: %s}}]
users: [{name: admin, user: {token: %s}}]
contexts: [{name: c, context: {cluster: c, user: admin}}]
current-context: c
`, a.port, filepath.Join(a.dir, "apiserver.crt"), token), 0o600))
		_, err = a.kubectl("", "get", "--raw", "/readyz")
		return err == nil
	})
	return a
}

// freePorts are ports of the loopback interface that nobody listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		must(t, err)
		ports = append(ports, port)
	}
	return ports
}

// start runs a program until the test ends.
func (a *apiServer) start(name string, args ...string) {
	a.Helper()
	cmd := osexec.Command(filepath.Join(a.bin, name), args...)
	cmd.Dir = a.dir
	log, err := os.Create(filepath.Join(a.dir, name+".log"))
	must(a.T, err)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(a.T, cmd.Start())
	a.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if a.Failed() {
			text, _ := os.ReadFile(log.Name())
			a.Logf("end of the log of %s:\n%s", name, lastLines(string(text), 10))
		}
	})
}

func (a *apiServer) await(done func() bool) {
	a.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			a.Fatal("Kubernetes does not come to it")
		}
	}
}

// kubectl gives what the client prints, and its error with what it says.
func (a *apiServer) kubectl(stdin string, args ...string) (string, error) {
	cmd := osexec.CommandContext(deadline(a.T), filepath.Join(a.bin, "kubectl"), append([]string{"--kubeconfig", a.config}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "HOME="+a.dir)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return string(out), err
}

func (a *apiServer) must(stdin string, args ...string) string {
	a.Helper()
	out, err := a.kubectl(stdin, args...)
	must(a.T, err)
	return out
}

// deployed is the API server with all that deploy/kubernetes has, once its policies work.
func deployed(t *testing.T) *apiServer {
	a := newAPIServer(t)
	root, err := testbed.Checkout()
	must(t, err)
	a.must("", "apply", "-k", filepath.Join(root, "deploy", "kubernetes"))
	for _, ns := range []string{"isolated", "free"} {
		a.must("", "create", "namespace", ns)
		a.must("", "-n", ns, "create", "serviceaccount", "default") // a controller does it in a cluster
	}
	a.must("", "label", "namespace", "isolated", "eci.containerd.io/isolate=enforced")
	a.await(func() bool {
		got, err := a.pod("isolated", `"hostUsers": true`)
		return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'eci-isolate'") && got == nil
	})
	a.await(func() bool {
		got, err := a.pod("isolated", "")
		return err == nil && got.RuntimeClassName == "eci"
	})
	return a
}

// podSpec is what is looked at of a pod.
type podSpec struct {
	RuntimeClassName string
	HostUsers        *bool
	Overhead         map[string]string
	NodeSelector     map[string]string
}

// pod asks what would become of a pod that says something in its spec.
func (a *apiServer) pod(namespace, says string) (*podSpec, error) {
	if says != "" {
		says = ", " + says
	}
	text := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]` + says + `}}`
	out, err := a.kubectl(text, "-n", namespace, "create", "--dry-run=server", "-o", "json", "-f", "-")
	if err != nil {
		return nil, err
	}
	var p struct{ Spec podSpec }
	must(a.T, json.Unmarshal([]byte(out), &p))
	return &p.Spec, nil
}

// TestDeploy_PodsAreIsolatedByNamespace: what the admission policies make of pods.
func TestDeploy_PodsAreIsolatedByNamespace(t *testing.T) {
	a := deployed(t)
	a.must(`{"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "other"}, "handler": "runc"}`, "create", "-f", "-")
	const class, users = "pods of this namespace have runtimeClassName: eci, or none", "pods of this namespace have hostUsers: false, or none"
	for says, refused := range map[string]string{
		"":                            "",
		`"runtimeClassName": "eci"`:   "",
		`"hostUsers": false`:          "",
		`"runtimeClassName": "other"`: class,
		`"runtimeClassName": "other", "hostUsers": false`: class,
		`"hostUsers": true`:                             users,
		`"hostUsers": true, "runtimeClassName": "eci"`:  users,
		`"hostNetwork": true`:                           "hostUsers", // the API itself: not with a user namespace
		`"hostPID": true, "runtimeClassName": "eci"`:    "hostUsers",
		`"hostUsers": false, "runtimeClassName": "eci"`: "",
	} {
		got, err := a.pod("isolated", says)
		switch {
		case refused != "":
			if err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("%s: got %+v, %v; want %q", says, got, err, refused)
			}
		case err != nil:
			t.Errorf("%s: %v", says, err)
		case got.RuntimeClassName != "eci" || got.HostUsers == nil || *got.HostUsers ||
			got.Overhead["memory"] != "32Mi" || got.NodeSelector["eci.containerd.io/ready"] != "true":
			t.Errorf("%s: got %+v", says, got)
		}
	}
	for says, want := range map[string]string{"": "", `"runtimeClassName": "other"`: "other", `"hostUsers": true`: ""} {
		if got, err := a.pod("free", says); err != nil || got.RuntimeClassName != want || got.HostUsers != nil && !*got.HostUsers {
			t.Errorf("in another namespace, %s: %+v, %v", says, got, err)
		}
	}
}

// TestDeploy_Installer: eci node install, with the rights that the installer has, copies,
// installs and labels; and those rights are for nothing else.
func TestDeploy_Installer(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	a := deployed(t)
	for _, node := range []string{"n1", "n2"} {
		a.must(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "`+node+`", "labels": {"kept": "yes"}}}`, "create", "-f", "-")
	}
	// The token of a pod on n1, as the kubelet has it made.
	a.must(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "installer-x"}, "spec": {"nodeName": "n1", "serviceAccountName": "installer", "containers": [{"name": "c", "image": "i"}]}}`,
		"-n", "eci-system", "create", "-f", "-")
	token := strings.TrimSpace(a.must("", "-n", "eci-system", "create", "token", "installer", "--bound-object-kind", "Pod", "--bound-object-name", "installer-x"))
	work := t.TempDir()
	authority, err := os.ReadFile(filepath.Join(a.dir, "apiserver.crt"))
	succeed(t, err,
		os.WriteFile(filepath.Join(work, "token"), []byte(token), 0o600),
		os.WriteFile(filepath.Join(work, "ca.crt"), authority, 0o600))
	before := snapshotOf(t, work)
	main := filepath.Join(work, "etc", "config.toml")
	node := func(status int, action, name string, more ...string) string {
		t.Helper()
		args := append([]string{
			"node", action, "--host-root", "/", "--dir", filepath.Join(work, "opt", "bin"), "--node", name, "--account", work, "--host-pid", strconv.Itoa(os.Getpid()),
			"--", "--record", filepath.Join(work, "var", "install.json"), "--address", d.Address,
		}, more...)
		cmd := osexec.CommandContext(deadline(t), filepath.Join(d.Programs.Dir, "eci"), args...)
		cmd.Env = append(os.Environ(), "KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT="+a.port, "ECI_CONFIG="+d.ConfigFile())
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != status {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	labels := func(name string) string {
		return strings.TrimSpace(a.must("", "get", "node", name, "-o", `jsonpath={.metadata.labels}`))
	}
	flags := []string{"--containerd", d.Programs.Containerd, "--containerd-config", main}
	a.await(func() bool { // the policy about the installer is in force
		err := a.patch("n2", token, `{"metadata": {"labels": {"x": "y"}}}`)
		return err != nil && strings.Contains(err.Error(), "labels its own node only")
	})
	if out := node(0, "install", "n1", flags...); !strings.Contains(out, "a container was started, and isolated") {
		t.Errorf("got\n%s", out)
	}
	wantText(t, "labels", labels("n1"), `{"eci.containerd.io/ready":"true","kept":"yes"}`)
	if data, err := os.ReadFile(filepath.Join(work, "etc", "conf.d", "50-eci.toml")); err != nil || !strings.Contains(string(data), filepath.Join(work, "opt", "bin", "containerd-shim-eci-v2")) {
		t.Errorf("%v\n%s", err, data)
	}
	checkText(t, errorOf(node(2, "install", "n2", flags...)), "the installer of eci labels its own node only")
	for what, patch := range map[string]string{
		"another label": `{"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}`,
		"a label less":  `{"metadata": {"labels": {"kept": null}}}`,
		"a label else":  `{"metadata": {"labels": {"kept": "no"}}}`,
		"an annotation": `{"metadata": {"annotations": {"a": "b"}}}`,
		"no scheduling": `{"spec": {"unschedulable": true}}`,
		"a taint":       `{"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}`,
	} {
		if err := a.patch("n1", token, patch); err == nil || !strings.Contains(err.Error(), "changes nothing of a node") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What fails on the host takes the label away.
	must(t, os.WriteFile(main, []byte("version = \n"), 0o600))
	node(2, "install", "n1", flags...)
	wantText(t, "labels", labels("n1"), `{"kept":"yes"}`)
	must(t, os.WriteFile(main, []byte("version = 3\nimports = [\""+filepath.Join(work, "etc", "conf.d", "*.toml")+"\"]\n"), 0o600))
	node(0, "install", "n1", flags...)
	node(0, "uninstall", "n1")
	wantText(t, "labels", labels("n1"), `{"kept":"yes"}`)
	sameFiles(t, before, snapshotOf(t, work))
	checkClean(t, d)
}

// patch changes a node as whoever has the token. kubectl would have to read the node first,
// which the installer may not.
func (a *apiServer) patch(node, token, patch string) error {
	authority, err := os.ReadFile(filepath.Join(a.dir, "apiserver.crt"))
	must(a.T, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	api := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	request, err := http.NewRequestWithContext(deadline(a.T), http.MethodPatch, "https://127.0.0.1:"+a.port+"/api/v1/nodes/"+node, strings.NewReader(patch))
	must(a.T, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	answer, err := api.Do(request)
	must(a.T, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(a.T, err)
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, text)
	}
	return nil
}
