package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// brokered starts a container of an allowed image that has docker's socket with a list
// of commands.
func brokered(t *testing.T, d *testbed.Daemon, docker fakeDocker, commands string) *testbed.Task {
	t.Helper()
	configure(t, d, fmt.Sprintf("[sockets]\nengines = [%q]\nimages = [%q]\n[sockets.commands]\n%s\n", docker.socket, testbed.BusyboxName, commands))
	pinImages(t, d, testbed.BusyboxName)
	return start(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(docker.socket, "/docker.sock")}})
}

func TestP07_BrokerKeepsTheCommands(t *testing.T) {
	d, docker := bed(t), newFakeDocker(t)
	for _, tt := range []struct {
		name, commands, request string
		want                    string // end of the answer; "": it is refused
		message                 string
	}{
		{"denied", `type = "deny"` + "\n" + `list = ["push"]`, request("POST", "/v1.47/images/a/push"), "", `the command \"docker image push\" is denied by the administrator's policy (POST /images/a/push)`},
		{"not denied", `type = "deny"` + "\n" + `list = ["push"]`, request("POST", "/v1.47/images/a/tag?repo=b"), "docker was asked POST /v1.47/images/a/tag?repo=b", ""},
		{"allowed", `type = "allow"` + "\n" + `list = ["image*"]`, request("GET", "/images/json"), "docker was asked GET /images/json", ""},
		{"not allowed", `type = "allow"` + "\n" + `list = ["image*"]`, request("POST", "/containers/create"), "", `the command \"docker container create\" is not allowed by the administrator's policy`},
		{"always", `type = "allow"` + "\n" + `list = ["image*"]`, request("GET", "/version"), "docker was asked GET /version", ""},
		{"unknown", `type = "deny"` + "\n" + `list = ["push"]`, request("POST", "/libpod/images/a/push"), "", "this request is none of the docker commands"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := say(t, brokered(t, d, docker, tt.commands), tt.request)
			switch {
			case tt.want != "" && !strings.HasSuffix(got, tt.want):
				t.Errorf("got %q, want %q", got, tt.want)
			case tt.want == "" && !(strings.HasPrefix(got, "HTTP/1.1 403 ") && strings.Contains(got, tt.message)):
				t.Errorf("got %q, want a refusal: %s", got, tt.message)
			}
		})
	}
	log, err := os.ReadFile(d.AuditFile())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), `"action":"command"`) || !strings.Contains(string(log), `"reason":"the command \"docker image push\" is denied`) {
		t.Errorf("the audit log has no line of the broker:\n%s", lastLines(string(log), 5))
	}
	// What was refused is in containerd's log, as what its shims say is.
	const line = `: the command "docker image push" is denied by the administrator's policy (POST /images/a/push)`
	for end := time.Now().Add(patience); !strings.Contains(d.Log(), line); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("containerd's log has no line of the broker:\n%s", lastLines(d.Log(), 20))
		}
	}
}

// A connection that the engine has taken over passes in both directions, each of
// which ends by itself.
func TestP07_BrokerPassesHijackedConnections(t *testing.T) {
	task := brokered(t, bed(t), newFakeDocker(t), `type = "allow"`+"\n"+`list = ["exec"]`)
	got := say(t, task, "POST /exec/a/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}", strings.Repeat("hello ", 10000))
	if !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.HasSuffix(got, "\r\n\r\n"+strings.Repeat("HELLO ", 10000)) {
		t.Errorf("got %d bytes: %.200q", len(got), got)
	}
	wantText(t, "owner of the socket", exec(t, task, "stat", "-c", "%u:%g %a", "/docker.sock"), "0:0 660")
}

// The socket of an engine may lie on a file system that cannot be ID-mapped, on which
// the container's root would be nobody. The broker stands in, and looks at nothing.
func TestP07_SocketThatCannotBeMapped(t *testing.T) {
	d, ram := bed(t), t.TempDir()
	mount(t, "ram", ram, "ramfs", 0)
	docker := serveDocker(t, ram)
	configure(t, d, fmt.Sprintf("[sockets]\nengines = [%q]\nimages = [%q]\n", docker.socket, testbed.BusyboxName))
	pinImages(t, d, testbed.BusyboxName)
	task := start(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(docker.socket, "/docker.sock")}})
	if got := say(t, task, request("POST", "/anything/at/all")); !strings.HasSuffix(got, "docker was asked POST /anything/at/all") {
		t.Errorf("docker says %q", got)
	}
}

// The broker belongs to its container: it ends with it, and with its shim.
func TestP07_BrokerEndsWithTheContainer(t *testing.T) {
	d, docker := bed(t), newFakeDocker(t)
	t.Run("delete", func(t *testing.T) {
		task := brokered(t, d, docker, `type = "deny"`+"\n"+`list = ["push"]`)
		pid := brokerOf(t, task)
		must(t, task.Delete(deadline(t)))
		if alive(pid) {
			t.Error("the broker lives on")
		}
		checkClean(t, d)
	})
	t.Run("crash of the shim", func(t *testing.T) {
		task := brokered(t, d, docker, `type = "deny"`+"\n"+`list = ["push"]`)
		pid := brokerOf(t, task)
		pidfd, err := unix.PidfdOpen(pid, 0)
		must(t, err)
		defer unix.Close(pidfd)
		killShims(t, d, task.ID)
		deleteByID(t, d, task.ID)
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, int(patience.Milliseconds())); n != 1 {
			t.Errorf("the broker lives on: %v", err)
		}
	})
	checkClean(t, d)
}

// brokerOf is the process ID of the broker of a container.
func brokerOf(t *testing.T, task *testbed.Task) int {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, path := range lines {
		line, err := os.ReadFile(path)
		words := strings.Split(string(line), "\x00")
		if err != nil || len(words) < 4 || words[1] != "broker" || words[3] != task.ID {
			continue
		}
		var pid int
		_, err = fmt.Sscanf(path, "/proc/%d/", &pid)
		must(t, err)
		return pid
	}
	t.Fatal("the container has no broker")
	return 0
}

// alive tells whether a process exists, and is not only waited for.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
