package integration

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// realDocker is a dockerd of the test's own, without a network, whose containers run
// under runc. Only its socket matters here.
type realDocker struct {
	dir, socket string // of dockerd and docker
	cgroup      string
	pid         int // of dockerd
}

func newRealDocker(t *testing.T, d *testbed.Daemon) realDocker {
	t.Helper()
	bin := filepath.Join(d.Programs.Dir, "docker")
	if _, err := os.Stat(filepath.Join(bin, "dockerd")); err != nil {
		t.Skipf("needs Docker in %s: run tools/docker.sh %s", bin, bin)
	}
	return newRealDockerOf(t, d, bin)
}

// newRealDockerOf is newRealDocker with the programs of a directory, and further flags.
func newRealDockerOf(t *testing.T, d *testbed.Daemon, bin string, more ...string) realDocker {
	t.Helper()
	home, err := os.MkdirTemp("", "eci-docker-")
	must(t, err)
	r := realDocker{dir: bin, socket: filepath.Join(home, "docker.sock"), cgroup: d.Cgroup() + "-docker"}
	t.Cleanup(func() { must(t, os.RemoveAll(home)) })
	cmd := osexec.Command(filepath.Join(bin, "dockerd"),
		"--data-root", filepath.Join(home, "data"), "--exec-root", filepath.Join(home, "exec"), "--pidfile", filepath.Join(home, "pid"),
		"--host", "unix://"+r.socket, "--cgroup-parent", r.cgroup, "--exec-opt", "native.cgroupdriver=cgroupfs", "--storage-driver", "overlay2",
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--shutdown-timeout", "1")
	cmd.Args = append(cmd.Args, more...)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+d.Programs.Dir+":"+os.Getenv("PATH"))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	r.pid = cmd.Process.Pid
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		if t.Failed() {
			t.Logf("end of dockerd's log:\n%s", lastLines(log.String(), 20))
		}
		for _, dir := range testbed.CgroupDirs(r.cgroup) {
			must(t, os.Remove(dir))
		}
	})
	for end := time.After(patience); ; {
		if conn, err := net.Dial("unix", r.socket); err == nil {
			conn.Close()
			return r
		}
		select {
		case <-exited:
			t.Fatalf("dockerd ended: %s", cmd.ProcessState)
		case <-end:
			t.Fatal("dockerd does not serve")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// docker runs the client at a socket, and gives what it writes with its status.
func (r realDocker) docker(t *testing.T, socket, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := osexec.CommandContext(ctx, filepath.Join(r.dir, "docker"), append([]string{"--host", "unix://" + socket}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "DOCKER_BUILDKIT=0"}
	cmd.Stdin = strings.NewReader(stdin)
	out, _ := cmd.CombinedOutput()
	return fmt.Sprintf("%d %s", cmd.ProcessState.ExitCode(), bytes.TrimSpace(out))
}

// Docker's own client works with its own engine through the broker, at the socket
// that a container has.
func TestP07_RealDockerBehindTheBroker(t *testing.T) {
	d := bed(t)
	real := newRealDocker(t, d)
	task := brokered(t, d, fakeDocker{socket: real.socket}, `type = "deny"`+"\n"+`list = ["push", "rename"]`)
	socket := fmt.Sprintf("/proc/%d/root/docker.sock", task.Pid())
	run := func(stdin string, args ...string) string { return real.docker(t, socket, stdin, args...) }
	want := func(got, end string) {
		t.Helper()
		if !strings.HasSuffix(got, end) {
			t.Errorf("got %.500q, want %q", got, end)
		}
	}
	built, err := buildImages()
	must(t, err)
	if got := run(string(built[0].Layers[0]), "import", "-", "eci.test/busybox:1"); !strings.HasPrefix(got, "0 sha256:") {
		t.Fatal(got)
	}
	want(run("", "images", "--format", "{{.Repository}}"), "0 eci.test/busybox")
	want(run("", "version", "--format", "{{.Server.Os}}"), "0 linux")
	want(run("", "push", "eci.test/busybox:1"), `the command "docker image push" is denied by the administrator's policy (POST /images/eci.test/busybox/push)`)
	want(run("words", "run", "--rm", "-i", "--network", "none", "eci.test/busybox:1", "tr", "a-z", "A-Z"), "0 WORDS")
	want(run("", "run", "-d", "--name", "long", "--network", "none", "eci.test/busybox:1", "sh", "-c", "echo begun; exec sleep 1000")[:2], "0 ")
	defer real.docker(t, real.socket, "", "rm", "-f", "long")
	want(run("words", "exec", "-i", "long", "cat"), "0 words")
	want(run("", "exec", "long", "sh", "-c", "exit 7"), "7 ")
	want(run("", "logs", "long"), "0 begun")
	want(run("", "rename", "long", "short"), "Error: failed to rename container named long")
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, bytes.Repeat([]byte("0123456789"), 1<<18), 0o600))
	want(run("", "cp", file, "long:/tmp/file"), "")
	want(run("", "exec", "long", "wc", "-c", "/tmp/file"), fmt.Sprintf("0 %d /tmp/file", 10<<18))
	want(run("", "cp", "long:/tmp/file", file+".back"), "")
	if back, err := os.ReadFile(file + ".back"); err != nil || len(back) != 10<<18 {
		t.Errorf("came back: %d bytes, %v", len(back), err)
	}
	want(run("", "save", "-o", file+".tar", "eci.test/busybox:1"), "0 ")
	want(run("", "load", "-i", file+".tar"), "Loaded image: eci.test/busybox:1")
	want(run("FROM eci.test/busybox:1\nRUN echo built >/built\n", "build", "--network", "none", "-t", "eci.test/built:1", "-"), "Successfully tagged eci.test/built:1")
}
