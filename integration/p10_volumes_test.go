package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// owners are the users of P10.
var owners = []int{0, 1000, 65535}

func TestP10_VolumesKeepTheirOwners(t *testing.T) {
	d := bed(t)
	for _, kind := range volumeKinds {
		t.Run(kind.name, func(t *testing.T) {
			volume := kind.make(t)
			if err := os.Chmod(volume, 0o777); err != nil {
				t.Fatal(err)
			}
			for _, id := range owners {
				file(t, filepath.Join(volume, fmt.Sprint(id)), id, 0o640)
			}
			mounts := []specs.Mount{testbed.Bind(volume, "/mnt")}
			first := start(t, d, testbed.Container{Mounts: mounts})
			second := start(t, d, testbed.Container{Mounts: mounts})
			if mapping(t, first) == mapping(t, second) {
				t.Fatal("both containers have the same range")
			}
			for _, task := range []*testbed.Task{first, second} {
				for _, id := range owners {
					name := fmt.Sprint(id)
					want := fmt.Sprintf("%d:%d", id, id)
					wantText(t, "owner inside of "+name, exec(t, task, "stat", "-c", "%u:%g", "/mnt/"+name), want)
					// Made by this container, seen by the host and by the other one.
					made := fmt.Sprintf("made-by-%d-in-%s", id, task.ID)
					execAs(t, task, uint32(id), "touch", "/mnt/"+made)
					wantText(t, "owner on the host of "+made, owner(t, filepath.Join(volume, made)), want)
				}
			}
			inFirst := exec(t, first, "sh", "-c", "cd /mnt; stat -c '%n %u:%g' *")
			inSecond := exec(t, second, "sh", "-c", "cd /mnt; stat -c '%n %u:%g' *")
			if inFirst != inSecond || strings.Contains(inFirst, "65534") {
				t.Errorf("the containers see different owners, or nobody:\n%s\n%s", inFirst, inSecond)
			}
		})
	}
}

// execAs runs a command as a user and group of the container.
func execAs(t *testing.T, task *testbed.Task, id uint32, args ...string) string {
	t.Helper()
	result, err := task.ExecSpec(deadline(t), nil, func(p *specs.Process) {
		p.Args = args
		p.User = specs.User{UID: id, GID: id}
	})
	if err != nil || result.Code != 0 {
		t.Fatalf("exec %q as %d: %v, status %d, %s", args, id, err, result.Code, result.Stderr)
	}
	return result.Stdout
}

// Rights follow the owners: another user's private file cannot be read, and root
// of the container has root's rights over files of the container's users.
func TestP10_RightsFollowOwners(t *testing.T) {
	volume := t.TempDir()
	file(t, filepath.Join(volume, "private"), 1000, 0o600)
	task := start(t, bed(t), testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")}})
	execAs(t, task, 1000, "cat", "/mnt/private")
	exec(t, task, "sh", "-ec", "cat /mnt/private; chown 65535:1 /mnt/private; chmod 4711 /mnt/private")
	wantText(t, "owner after chown", owner(t, filepath.Join(volume, "private")), "65535:1")
	result, err := task.ExecSpec(deadline(t), nil, func(p *specs.Process) {
		p.Args = []string{"cat", "/mnt/private"}
		p.User = specs.User{UID: 1000, GID: 1000}
	})
	if err != nil || result.Code == 0 {
		t.Errorf("another user reads a private file: %v, %q", err, result.Stdout)
	}
}

func TestP10_SingleFile(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "file")
	file(t, path, 1000, 0o644)
	before := owner(t, directory)
	out := run(t, bed(t), testbed.Container{
		Args:   []string{"sh", "-ec", "stat -c %u:%g /etc/file; cat /etc/file; echo -n more >>/etc/file"},
		Mounts: []specs.Mount{testbed.Bind(path, "/etc/file")},
	})
	wantText(t, "inside", out, "1000:1000\nfile")
	if data, err := os.ReadFile(path); err != nil || string(data) != "filemore" {
		t.Errorf("on the host: %q, %v", data, err)
	}
	wantText(t, "owner on the host", owner(t, path), "1000:1000")
	wantText(t, "owner of the directory", owner(t, directory), before)
}

// A volume brings the mounts below it, each with its owners.
func TestP10_MountsBelowAVolume(t *testing.T) {
	d := bed(t)
	volume := ext4Volume(t)
	file(t, filepath.Join(volume, "top"), 1000, 0o644)
	below := dir(t, filepath.Join(volume, "a/below"))
	needTmpfsVolumes(t)
	mount(t, "below", below, "tmpfs", 0)
	file(t, filepath.Join(below, "file"), 65535, 0o644)
	deeper := dir(t, filepath.Join(below, "deeper"))
	mount(t, volume, deeper, "", bindFlag)

	task := start(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")}})
	out := exec(t, task, "stat", "-c", "%u:%g", "/mnt/top", "/mnt/a/below/file", "/mnt/a/below/deeper/top")
	wantText(t, "owners inside", out, "1000:1000\n65535:65535\n1000:1000")
	execAs(t, task, 0, "touch", "/mnt/a/below/new")
	wantText(t, "owner on the host", owner(t, filepath.Join(below, "new")), "0:0")

	// "bind" alone takes the volume without them.
	flat := testbed.Bind(volume, "/mnt")
	flat.Options = []string{"bind"}
	out = run(t, d, testbed.Container{Args: []string{"ls", "/mnt/a/below"}, Mounts: []specs.Mount{flat}})
	wantText(t, "below, with bind", out, "")
}

func TestP10_ReadOnlyVolumeKeepsOwners(t *testing.T) {
	volume := t.TempDir()
	for _, id := range owners {
		file(t, filepath.Join(volume, fmt.Sprint(id)), id, 0o644)
	}
	out := run(t, bed(t), testbed.Container{
		Args:   []string{"sh", "-c", "cd /mnt; stat -c %u:%g *; touch /mnt/new 2>&1"},
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", "ro")},
		Spec:   func(s *specs.Spec) { s.Process.Args[2] += "; true" },
	})
	wantText(t, "inside", out, "0:0\n1000:1000\n65535:65535\ntouch: /mnt/new: Read-only file system")
}

// A host file that belongs to nobody in the container is not the container's:
// it shows as the overflow user and cannot be changed.
func TestP10_ForeignOwnersStayForeign(t *testing.T) {
	volume := t.TempDir()
	file(t, filepath.Join(volume, "foreign"), 70000, 0o600)
	out := run(t, bed(t), testbed.Container{
		Args:   []string{"sh", "-c", "stat -c %u:%g /mnt/foreign; cat /mnt/foreign || chown 0:0 /mnt/foreign || echo refused"},
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")}, Privileged: true,
	})
	wantText(t, "inside", out, "65534:65534\nrefused")
}

// What cannot be ID-mapped is refused, never shown as nobody's.
func TestP10_FileSystemThatCannotBeMappedIsRefused(t *testing.T) {
	d := bed(t)
	lower, merged := dir(t, filepath.Join(t.TempDir(), "lower")), t.TempDir()
	command(t, "mount", "-t", "overlay", "-o", "lowerdir="+lower+":"+t.TempDir(), "overlay", merged)
	t.Cleanup(func() { command(t, "umount", merged) })
	for _, source := range []string{"/proc/fs", "/sys/kernel", merged} {
		t.Run(filepath.Base(source), func(t *testing.T) {
			refused(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}}, source, "mounts[")
		})
	}
}
