package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestShapes_Process runs processes of every kind; each prints what it is.
func TestShapes_Process(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name string
		c    testbed.Container
		want string
	}{
		{"root", testbed.Container{Args: []string{"id"}}, "uid=0(root) gid=0(root) groups=0(root)"},
		{"user by name", testbed.Container{User: "user", Args: []string{"id"}}, "uid=1000(user) gid=1000(user) groups=10(wheel),1000(user),2000(extra)"},
		{"user by number", testbed.Container{User: "1000:2000", Args: []string{"sh", "-c", "id -u; id -g"}}, "1000\n2000"},
		{"the last user", testbed.Container{User: "65535:65535", Args: []string{"id"}}, "uid=65535(last) gid=65535(last) groups=65535(last)"},
		{
			"supplementary groups",
			testbed.Container{Args: []string{"id", "-G"}, Spec: func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{5, 2000, 65535} }},
			"0 5 2000 65535",
		},
		{"user's home", testbed.Container{User: "user", Args: []string{"sh", "-ec", "touch /home/user/x; stat -c %u:%g /home/user/x"}}, "1000:1000"},
		{"environment", testbed.Container{Env: []string{"A=b c"}, Args: []string{"sh", "-c", "echo $A"}}, "b c"},
		{
			"host name",
			testbed.Container{Args: []string{"hostname"}, Spec: func(s *specs.Spec) { s.Hostname = "inside" }},
			"inside",
		},
		{
			"resource limits",
			testbed.Container{Args: []string{"sh", "-c", "ulimit -n"}, Spec: func(s *specs.Spec) {
				s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 123, Hard: 456}}
			}},
			"123",
		},
		{
			"raised OOM score",
			testbed.Container{Args: []string{"cat", "/proc/self/oom_score_adj"}, Spec: func(s *specs.Spec) { s.Process.OOMScoreAdj = ptr(500) }},
			"500",
		},
		{
			"system control of a namespace",
			testbed.Container{Args: []string{"cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/msgmax"}, Spec: func(s *specs.Spec) {
				s.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "kernel.msgmax": "4096"}
			}},
			"0\n4096",
		},
		{
			"ping group range of CRI",
			testbed.Container{Args: []string{"cat", "/proc/sys/net/ipv4/ping_group_range"}, Spec: func(s *specs.Spec) {
				s.Linux.Sysctl = map[string]string{"net.ipv4.ping_group_range": "0 2147483647"}
			}},
			"0\t65535",
		},
		{"output to a device file", testbed.Container{User: "user", Args: []string{"sh", "-c", "echo out >/dev/stdout; echo more >/proc/self/fd/1"}}, "out\nmore"},
		{"a pseudo-terminal of its own", testbed.Container{User: "user", Args: []string{"sh", "-c", ": <>/dev/ptmx && ls /dev/pts"}}, "ptmx"},
		{"a long name", testbed.Container{ID: strings.Repeat("long", 19), Args: []string{"echo", "done"}}, "done"},
		{"standard input", testbed.Container{Stdin: strings.NewReader("typed\nrest\n"), Args: []string{"head", "-n", "1"}}, "typed"},
		{"nothing but the process", testbed.Container{Args: []string{"sh", "-c", "ps >/tmp/ps; wc -l </tmp/ps; echo $$"}}, "3\n1"},
		{"loopback", testbed.Container{CapAdd: []string{"CAP_NET_ADMIN"}, Args: []string{"sh", "-ec", "ip link set lo up; ping -c 1 -W 5 127.0.0.1 >/dev/null; echo alive"}}, "alive"},
	} {
		t.Run(c.name, func(t *testing.T) { wantText(t, "output", run(t, d, c.c), c.want) })
	}
}

func ptr[T any](v T) *T { return &v }

func TestShapes_ExitStatus(t *testing.T) {
	d := bed(t)
	for command, want := range map[string]uint32{"exit 0": 0, "exit 7": 7, "sh -c 'kill -TERM $$'": 143, "sh -c 'kill -KILL $$'": 137} {
		if got := runAny(t, d, testbed.Container{Args: []string{"sh", "-c", command + "; exit $?"}}).Code; got != want {
			t.Errorf("%q: status %d, want %d", command, got, want)
		}
	}
}

// capabilityMask reads CapEff of a container.
func capabilityMask(t *testing.T, d *testbed.Daemon, c testbed.Container) uint64 {
	t.Helper()
	c.Args = []string{"/probe", "caps"}
	var mask uint64
	if _, err := fmt.Sscanf(decode[map[string]string](t, run(t, d, c))["CapEff"], "%x", &mask); err != nil {
		t.Fatal(err)
	}
	return mask
}

// TestShapes_Capabilities adds and drops every capability by itself in one spec
// each: the masks must be what the client asked for, as under runc.
func TestShapes_Capabilities(t *testing.T) {
	d := bed(t)
	plain := capabilityMask(t, d, testbed.Container{})
	if want := capabilityMask(t, d, testbed.Container{Runtime: "runc"}); plain != want {
		t.Errorf("the default is %016x, under runc %016x", plain, want)
	}
	host := hostBounding(t)
	var all []string
	for number, name := range capabilityNames {
		if host&(1<<number) != 0 {
			all = append(all, name)
		}
	}
	if got, want := capabilityMask(t, d, testbed.Container{CapAdd: all}), host&(1<<len(capabilityNames)-1); got != want {
		t.Errorf("with every capability added: %016x, want %016x", got, want)
	}
	if got := capabilityMask(t, d, testbed.Container{CapDrop: all}); got != 0 {
		t.Errorf("with every capability dropped: %016x", got)
	}
	for _, number := range []int{12, 13, 21} { // NET_ADMIN, NET_RAW, SYS_ADMIN
		name := capabilityNames[number]
		if got := capabilityMask(t, d, testbed.Container{CapDrop: all, CapAdd: nil, Spec: only(name)}); got != 1<<number {
			t.Errorf("%s alone: %016x", name, got)
		}
	}
}

func only(name string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		set := []string{name}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: set, Effective: set, Permitted: set}
	}
}

// capabilityNames are in the order of their numbers; capabilities(7).
var capabilityNames = strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL
	CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN
	CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT
	CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE
	CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM
	CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

func TestShapes_SeccompOfTheClient(t *testing.T) {
	d := bed(t)
	t.Run("profile", func(t *testing.T) {
		result := runAny(t, d, testbed.Container{
			Args: []string{"sh", "-c", "grep Seccomp: /proc/self/status; mkdir /x"},
			Spec: func(s *specs.Spec) {
				s.Linux.Seccomp = &specs.LinuxSeccomp{
					DefaultAction: specs.ActAllow,
					Syscalls: []specs.LinuxSyscall{{
						Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(122)),
					}},
				}
			},
		})
		if result.Code == 0 || !strings.Contains(result.Stdout, "Seccomp:\t2") || !strings.Contains(result.Stderr, "Disk quota exceeded") {
			t.Errorf("the profile does not hold: %+v", result)
		}
	})
	t.Run("default of ctr", func(t *testing.T) {
		id := d.UniqueID("seccomp")
		args := append(d.RunArgs(runtimeName, id), "--rm", "--seccomp", testbed.BusyboxName, id, "grep", "Seccomp:", "/proc/self/status")
		out, _, err := d.Ctr(deadline(t), args...)
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, "status", out, "Seccomp:\t2")
	})
}

func TestShapes_AppArmorOfTheClient(t *testing.T) {
	enabled, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	if err != nil || strings.TrimSpace(string(enabled)) != "Y" {
		t.Skip("the kernel has no AppArmor: /sys/module/apparmor/parameters/enabled is not Y")
	}
	d := bed(t)
	id := d.UniqueID("apparmor")
	args := append(d.RunArgs(runtimeName, id), "--rm", "--apparmor-default-profile", "eci-test", testbed.BusyboxName, id, "cat", "/proc/self/attr/current")
	out, _, err := d.Ctr(deadline(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, "profile", out, "eci-test (enforce)")
}

// tty is the probe's report about its terminal.
type tty struct {
	Stdin, Stdout, Stderr, Controlling bool
	Rows, Cols                         int
	Name                               string
	Node                               node
}

func TestShapes_Terminal(t *testing.T) {
	d := bed(t)
	for _, user := range []string{"", "user"} {
		t.Run("user="+user, func(t *testing.T) {
			got := decode[tty](t, run(t, d, testbed.Container{User: user, Terminal: true, Args: []string{"/probe", "tty"}}))
			if !got.Stdin || !got.Stdout || !got.Stderr || !got.Controlling {
				t.Errorf("not a terminal: %+v", got)
			}
			// Owned by the container's user, as under runc.
			want := decode[tty](t, run(t, d, testbed.Container{Runtime: "runc", User: user, Terminal: true, Args: []string{"/probe", "tty"}}))
			if got.Node.String() != want.Node.String() {
				t.Errorf("the node is %v, under runc %v", got.Node, want.Node)
			}
		})
	}
}

func TestShapes_TerminalResize(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Terminal: true})
	if err := task.Task.Resize(d.Context(deadline(t)), 77, 33); err != nil {
		t.Fatal(err)
	}
	wantText(t, "size", exec(t, task, "stty", "-F", "/dev/console", "size"), "33 77")
}
