package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// harmlessNodes are devices of which a container may make nodes, by the policy's default.
var harmlessNodes = map[string]string{"null": "c 1 3", "zero": "c 1 5", "full": "c 1 7", "random": "c 1 8", "urandom": "c 1 9", "tty": "c 5 0", "ptmx": "c 5 2"}

// TestP09_DeviceNodes: a container makes nodes of harmless devices on its own file systems,
// with the owner and mode that mknod(2) gives, and they work.
func TestP09_DeviceNodes(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{CapAdd: []string{"CAP_MKNOD", "CAP_SYS_ADMIN"}})
	exec(t, task, "sh", "-ec", "mkdir /own/nodes /tmp/mount; mount -t tmpfs t /tmp/mount")
	for name, number := range harmlessNodes {
		t.Run(name, func(t *testing.T) {
			path := "/own/nodes/" + name
			out := exec(t, task, "sh", "-ec", fmt.Sprintf("umask 027; mknod %s %s; stat -c '%%F %%a %%u:%%g %%t:%%T' %s", path, number, path))
			fields := strings.Fields(number)
			wantText(t, "the node", out, fmt.Sprintf("character special file 640 0:0 %s:%s", fields[1], fields[2]))
		})
	}
	wantText(t, "using them", exec(t, task, "sh", "-c", "head -c 3 /own/nodes/zero | wc -c; echo x >/own/nodes/null && echo written"), "3\nwritten")
	// A tmpfs that the container mounted is of its own user namespace, where the kernel opens
	// no device: programs that are told so bind the device instead.
	if result, err := task.Exec(deadline(t), "mknod", "/tmp/mount/null", "c", "1", "3"); err != nil || result.Code == 0 || !strings.Contains(result.Stderr, "Operation not permitted") {
		t.Errorf("on a tmpfs of its own: %+v, %v", result, err)
	}
	if result, err := task.Exec(deadline(t), "mknod", "/own/nodes/null", "c", "1", "3"); err != nil || result.Code == 0 || !strings.Contains(result.Stderr, "File exists") {
		t.Errorf("a second time: %+v, %v", result, err)
	}
	t.Run("owner", func(t *testing.T) {
		exec(t, task, "sh", "-ec", "mkdir -m 2777 /own/shared; chown 0:2000 /own/shared; chmod 2777 /own/shared")
		result, err := task.ExecSpec(deadline(t), nil, func(p *specs.Process) {
			p.User = specs.User{UID: 1000, GID: 1000}
			p.Capabilities.Ambient = []string{"CAP_MKNOD"}
			p.Capabilities.Inheritable = []string{"CAP_MKNOD"}
			p.Args = []string{"sh", "-ec", "umask 0; mknod /own/shared/null c 1 3; stat -c '%a %u:%g' /own/shared/null"}
		})
		succeed(t, err)
		wantText(t, "by another user, in a directory with set-group-id", result.Stdout+result.Stderr, "666 1000:2000")
	})
}

// forbiddenNodes are what the kernel refuses; nobody makes them in its place.
var forbiddenNodes = map[string]string{"memory": "c 1 1", "kmsg": "c 1 11", "port": "c 1 4", "disk": "b 8 0", "loop": "b 7 0", "null-block": "b 1 3", "scsi": "c 21 0", "fuse": "c 10 229"}

func TestP09_ForbiddenDeviceNodes(t *testing.T) {
	task := start(t, bed(t), testbed.Container{Privileged: true})
	for name, number := range forbiddenNodes {
		result, err := task.Exec(deadline(t), append([]string{"mknod", "/own/" + name}, strings.Fields(number)...)...)
		succeed(t, err)
		if result.Code == 0 || !strings.Contains(result.Stderr, "Operation not permitted") {
			t.Errorf("%s (%s): status %d, %s", name, number, result.Code, result.Stderr)
		}
	}
}

// No node is made for who may not make one, or where it does not lie in the container's own.
func TestP09_DeviceNodesElsewhere(t *testing.T) {
	d := bed(t)
	volume := ext4Volume(t)
	task := start(t, d, testbed.Container{
		CapAdd: []string{"CAP_MKNOD"}, Mounts: []specs.Mount{testbed.Bind(volume, "/mnt"), testbed.Bind(t.TempDir(), "/ro", "ro")},
	})
	for path, want := range map[string]string{
		"/mnt/null":      "Operation not permitted", // a volume is the host's
		"/ro/null":       "ot permitted|Read-only",
		"/no/such/null":  "No such file",
		"/etc/file/null": "Not a directory",
	} {
		result, err := task.Exec(deadline(t), "mknod", path, "c", "1", "3")
		succeed(t, err)
		matched := false
		for part := range strings.SplitSeq(want, "|") {
			matched = matched || strings.Contains(result.Stderr, part)
		}
		if result.Code == 0 || !matched {
			t.Errorf("%s: status %d, %s; want %s", path, result.Code, result.Stderr, want)
		}
	}
	if entries := entriesOf(t, volume); len(entries) > 1 { // lost+found
		t.Errorf("on the volume: %v", entries)
	}
	poor := start(t, d, testbed.Container{CapDrop: []string{"CAP_MKNOD"}})
	result, err := poor.Exec(deadline(t), "mknod", "/own/null", "c", "1", "3")
	succeed(t, err)
	if result.Code == 0 {
		t.Error("a node was made without CAP_MKNOD")
	}
	user := start(t, d, testbed.Container{CapAdd: []string{"CAP_MKNOD"}, User: "1000"})
	for _, args := range [][]string{{"mknod", "/home/user/null", "c", "1", "3"}, {"mknod", "/own/null", "c", "1", "3"}, {"unshare", "-U", "-r", "mknod", "/home/user/null", "c", "1", "3"}} {
		result, err := user.Exec(deadline(t), args...)
		succeed(t, err)
		if result.Code == 0 {
			t.Errorf("%v made a node", args)
		}
	}
	// Other files than devices are the kernel's business.
	exec(t, task, "sh", "-ec", "mkfifo /own/fifo; test -p /own/fifo")
}
