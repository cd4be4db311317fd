package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

var (
	fuseNumber = unix.Mkdev(10, 229)
	tunNumber  = unix.Mkdev(10, 200)
)

func TestP24_NodesBelongToWhomTheSpecNames(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		path     string
		number   uint64
		uid, gid uint32
		mode     os.FileMode
	}{
		{"/dev/fuse", fuseNumber, 0, 0, 0o666},
		{"/dev/fuse", fuseNumber, 1000, 2000, 0o640},
		{"/dev/net/tun", tunNumber, 65535, 65535, 0o600},
	} {
		t.Run(fmt.Sprintf("%s_%d:%d_%o", c.path, c.uid, c.gid, c.mode), func(t *testing.T) {
			task := start(t, d, testbed.Container{Spec: device(c.path, c.number, c.uid, c.gid, c.mode)})
			n := nodes(t, exec(t, task, "/probe", "stat", c.path))[c.path]
			want := fmt.Sprintf("c%04o %d:%d %s", c.mode, c.uid, c.gid, c.path)
			if n.String() != want || n.Device != fmt.Sprintf("%d:%d", unix.Major(c.number), unix.Minor(c.number)) {
				t.Errorf("the node is %v, device %s; want %s", n, n.Device, want)
			}
			// The owner may open it; a stranger only if the mode says so.
			execAs(t, task, c.uid, "sh", "-c", ": <"+c.path)
			if out := tryOpen(t, task, 4711, c.path, "<"); (out == "opened") != (c.mode&0o004 != 0) {
				t.Errorf("a stranger: %s", out)
			}
		})
	}
}

// tryOpen opens a file as a user of the container, and says "opened" or why not.
func tryOpen(t *testing.T, task *testbed.Task, uid uint32, path, how string) string {
	t.Helper()
	result, err := task.ExecSpec(deadline(t), nil, func(p *specs.Process) {
		p.User = specs.User{UID: uid, GID: uid}
		p.Args = []string{"sh", "-c", ": " + how + path}
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Code == 0 {
		return "opened"
	}
	return strings.TrimSpace(result.Stderr)
}

// The device cgroup holds: the node alone is not enough, nor more access than
// was given.
func TestP24_DeviceCgroupHolds(t *testing.T) {
	d := bed(t)
	for _, c := range []struct{ access, read, write string }{
		{"rwm", "opened", "opened"},
		{"r", "opened", "Operation not permitted"},
		{"", "Operation not permitted", "Operation not permitted"},
	} {
		t.Run("access="+c.access, func(t *testing.T) {
			task := start(t, d, testbed.Container{Spec: deviceWith("/dev/fuse", fuseNumber, 0, 0, 0o666, c.access)})
			if out := tryOpen(t, task, 0, "/dev/fuse", "<"); !strings.Contains(out, c.read) {
				t.Errorf("reading: %s, want %s", out, c.read)
			}
			if out := tryOpen(t, task, 0, "/dev/fuse", ">"); !strings.Contains(out, c.write) {
				t.Errorf("writing: %s, want %s", out, c.write)
			}
		})
	}
}

func TestP24_FuseAndTunWork(t *testing.T) {
	d := bed(t)
	report := attempts(t, run(t, d, testbed.Container{
		Args: []string{"/probe", "mount", "fuse"}, CapAdd: []string{"CAP_SYS_ADMIN"}, Spec: device("/dev/fuse", fuseNumber, 0, 0, 0o666),
	}))
	if !report[0].Effect {
		t.Errorf("mount of fuse: %s", report[0].Errno)
	}
	out := run(t, d, testbed.Container{
		Args: []string{"sh", "-ec", "tunctl -t tun7 >/dev/null; ip link set tun7 up; ip -o link show tun7"}, CapAdd: []string{"CAP_NET_ADMIN"},
		Spec: device("/dev/net/tun", tunNumber, 0, 0, 0o666),
	})
	if !strings.Contains(out, "tun7") {
		t.Errorf("no interface: %s", out)
	}
}

func TestP24_DeviceOfCtr(t *testing.T) {
	d := bed(t)
	id := d.UniqueID("device")
	args := append(d.RunArgs(runtimeName, id), "--rm", "--device", "/dev/fuse", testbed.BusyboxName, id, "/probe", "stat", "/dev/fuse")
	out, _, err := d.Ctr(deadline(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	n := nodes(t, out)["/dev/fuse"]
	if n.Type != "c" || n.Device != "10:229" || n.UID != 0 || n.GID != 0 {
		t.Errorf("the node is %v", n)
	}
	checkClean(t, d)
}

// A device is judged by its number, whatever its name.
func TestP24_OtherDevicesAreRefused(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name, path string
		number     uint64
	}{
		{"memory", "/dev/mem", unix.Mkdev(1, 1)},
		{"memory under another name", "/dev/fuse", unix.Mkdev(1, 1)},
		{"loop control", "/dev/loop-control", unix.Mkdev(10, 237)},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, d, testbed.Container{Spec: device(c.path, c.number, 0, 0, 0o666)}, "error in the container spec: ", "linux.devices[", c.path)
		})
	}
}

// A volume whose source is a device node is that device, with an owner.
func TestP24_DeviceAsAVolume(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind("/dev/fuse", "/dev/fuse")}})
	n := nodes(t, exec(t, task, "/probe", "stat", "/dev/fuse"))["/dev/fuse"]
	if n.Type != "c" || n.Device != "10:229" || n.UID != 0 {
		t.Errorf("the node is %v, device %s", n, n.Device)
	}
	if out := tryOpen(t, task, 0, "/dev/fuse", "<"); out != "opened" {
		t.Errorf("opening it: %s", out)
	}
	refusedCreate(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind("/dev/loop-control", "/mnt/x")}}, "/dev/loop-control")
}
