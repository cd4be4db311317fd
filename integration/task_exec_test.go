package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

func TestTask_Exec(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	for _, c := range []struct {
		name  string
		stdin string
		edit  func(*specs.Process)
		want  testbed.Result
	}{
		{"root", "", func(p *specs.Process) { p.Args = []string{"id"} }, testbed.Result{Stdout: "uid=0(root) gid=0(root) groups=0(root)\n"}},
		{
			"user with groups", "",
			func(p *specs.Process) {
				p.Args, p.User = []string{"id"}, specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{10, 65535}}
			},
			testbed.Result{Stdout: "uid=1000(user) gid=1000(user) groups=10(wheel),65535(last)\n"},
		},
		{"output of a user", "", func(p *specs.Process) {
			p.Args, p.User = []string{"sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr; exit 3"}, specs.User{UID: 1000, GID: 1000}
		}, testbed.Result{Code: 3, Stdout: "out\n", Stderr: "err\n"}},
		{"terminal", "", func(p *specs.Process) {
			p.Args, p.Terminal = []string{"sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo yes"}, true
		}, testbed.Result{Stdout: "yes\r\n"}},
		{"terminal of a user", "", func(p *specs.Process) {
			p.Args, p.Terminal, p.User = []string{"sh", "-c", "echo out >/dev/tty; tty </dev/tty"}, true, specs.User{UID: 1000, GID: 1000}
		}, testbed.Result{Stdout: "out\r\n/dev/tty\r\n"}},
		{"input", "typed\n", func(p *specs.Process) { p.Args = []string{"head", "-n", "1"} }, testbed.Result{Stdout: "typed\n"}},
		{"directory and environment", "", func(p *specs.Process) {
			p.Args, p.Cwd, p.Env = []string{"/bin/sh", "-c", "pwd; echo $X"}, "/target", []string{"X=1"}
		}, testbed.Result{Stdout: "/target\n1\n"}},
		{"capabilities", "", func(p *specs.Process) {
			p.Args, p.Capabilities = []string{"grep", "CapEff", "/proc/self/status"}, &specs.LinuxCapabilities{}
		}, testbed.Result{Stdout: "CapEff:\t0000000000000000\n"}},
		{"signal", "", func(p *specs.Process) { p.Args = []string{"sh", "-c", "kill -KILL $$"} }, testbed.Result{Code: 137}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got testbed.Result
			var err error
			if c.stdin == "" {
				got, err = task.ExecSpec(deadline(t), nil, c.edit)
			} else {
				got, err = task.ExecSpec(deadline(t), strings.NewReader(c.stdin), c.edit)
			}
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// An exec is inside all that the container is in.
func TestTask_ExecIsInside(t *testing.T) {
	type report struct {
		UIDMap     string `json:"uid_map"`
		CapEff     string
		Namespaces map[string]string
	}
	d := bed(t)
	task := start(t, d, testbed.Container{Args: []string{"sh", "-c", "/probe id; sleep 100000"}})
	out, err := task.Await(deadline(t), "\n}\n")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	first, later := decode[report](t, out), decode[report](t, exec(t, task, "/probe", "id"))
	if fmt.Sprint(first) != fmt.Sprint(later) {
		t.Errorf("the first process has\n%+v\nan exec\n%+v", first, later)
	}
}

func TestTask_BadExecIsRefused(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	for _, c := range []struct {
		name string
		edit func(*specs.Process)
		want string
	}{
		{"no program", func(p *specs.Process) { p.Args = nil }, "process.args"},
		{"user outside of the range", func(p *specs.Process) { p.User.UID = 70000 }, "process.user.uid"},
		{"group outside of the range", func(p *specs.Process) { p.User.AdditionalGids = []uint32{1 << 20} }, "process.user.additionalGids[0]"},
		{"missing program", func(p *specs.Process) { p.Args = []string{"nosuch"} }, "nosuch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := task.ExecSpec(deadline(t), nil, func(p *specs.Process) { p.Args = []string{"true"}; c.edit(p) })
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %s", err, c.want)
			}
		})
	}
	exec(t, task, "true")
}
