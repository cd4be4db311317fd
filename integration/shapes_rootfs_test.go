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

// TestShapes_Rootfs runs each kind of root file system, writable and read-only.
func TestShapes_Rootfs(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name string
		c    testbed.Container
	}{
		{"overlayfs", testbed.Container{}},
		{"native", testbed.Container{Snapshotter: "native"}},
		{"100 layers", testbed.Container{Image: testbed.Layers100Name}},
		{"directory", testbed.Container{Rootfs: plainRootfs(t)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			writable := c.c
			writable.Args = []string{"sh", "-ec", "echo text >/new; cat /new; mkdir /newdir; mv /own/0 /newdir; rm /own/1000; ls /own"}
			wantText(t, "writable", run(t, d, writable), "text\n65535\ndir")

			readOnly := c.c
			readOnly.ReadOnly = true
			readOnly.Args = []string{"sh", "-c", "touch /x 2>&1; rm /own/65535 2>&1; echo x >/dev/shm/x && echo shm"}
			wantText(t, "read-only", run(t, d, readOnly),
				"touch: /x: Read-only file system\nrm: can't remove '/own/65535': Read-only file system\nshm")
		})
	}
}

// A snapshot without a writable layer is a bind of one layer, or an overlay
// without an upper directory. The mount points that runc needs are in the image.
func TestShapes_ViewOfASnapshot(t *testing.T) {
	d := bed(t)
	for _, image := range []string{testbed.BusyboxName, testbed.Layers100Name} {
		t.Run(image, func(t *testing.T) {
			out := run(t, d, testbed.Container{
				Image: image, View: true, ReadOnly: true,
				Args: []string{"sh", "-c", "stat -c %u:%g /own/1000; touch /x 2>&1; true"},
			})
			wantText(t, "inside", out, "1000:1000\ntouch: /x: Read-only file system")
		})
	}
}

func TestShapes_RootfsPropagation(t *testing.T) {
	d := bed(t)
	for _, kind := range []string{"private", "rprivate", "slave", "rslave", "shared", "rshared"} {
		t.Run(kind, func(t *testing.T) {
			out := run(t, d, testbed.Container{
				Args:   []string{"sh", "-ec", "stat -c %u /own/1000 /mnt/f"},
				Mounts: []specs.Mount{testbed.Bind(volumeWithFile(t), "/mnt")},
				Spec:   func(s *specs.Spec) { s.Linux.RootfsPropagation = kind },
			})
			wantText(t, "owners", out, "1000\n1000")
		})
	}
}

// volumeWithFile is a directory with the file f of user 1000.
func volumeWithFile(t *testing.T) string {
	t.Helper()
	volume := t.TempDir()
	file(t, filepath.Join(volume, "f"), 1000, 0o644)
	return volume
}

func TestShapes_HundredLayers(t *testing.T) {
	out := run(t, bed(t), testbed.Container{
		Image: testbed.Layers100Name,
		Args:  []string{"sh", "-ec", "cat /layers/last; echo; ls /layers | wc -l; stat -c %u /layers/98; ls /layers/9 /layers/19 2>&1 || true; grep -c ' / / ' /proc/self/mountinfo"},
	})
	// 99 files of their own and "last", less 9 that a later layer removed.
	wantText(t, "layers", out, "99\n91\n98\nls: /layers/9: No such file or directory\nls: /layers/19: No such file or directory\n1")
}

// A root file system may lie on another file system, and be given to ctr.
func TestShapes_DirectoryOfCtr(t *testing.T) {
	d := bed(t)
	images, err := buildImages()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range volumeKinds {
		t.Run(kind.name, func(t *testing.T) {
			root := dir(t, filepath.Join(kind.make(t), "rootfs"))
			if err := images[0].Extract(t.Context(), root); err != nil {
				t.Fatal(err)
			}
			id := d.UniqueID("rootfs")
			args := append(d.RunArgs(runtimeName, id), "--rm", "--rootfs", root, id, "/bin/sh", "-ec", "export PATH=/bin; stat -c %u:%g /own/1000; echo x >/made")
			out, _, err := d.Ctr(deadline(t), args...)
			if err != nil {
				t.Fatal(err)
			}
			wantText(t, "owner inside", out, "1000:1000")
			wantText(t, "owner of a new file", owner(t, filepath.Join(root, "made")), "0:0")
		})
	}
}

// A directory that holds mounts of its own: what is below comes along only if
// the client binds it.
func TestShapes_DirectoryWithMountsBelow(t *testing.T) {
	root := plainRootfs(t)
	below := dir(t, filepath.Join(root, "below"))
	mount(t, "below", below, "tmpfs", 0)
	file(t, filepath.Join(below, "hidden"), 0, 0o644)
	run(t, bed(t), testbed.Container{Rootfs: root, Args: []string{"sh", "-ec", "ls /below; echo x >/new"}})
}

// Two containers on one directory see each other's files, with the same owners.
func TestShapes_DirectoryShared(t *testing.T) {
	d := bed(t)
	root := plainRootfs(t)
	first := start(t, d, testbed.Container{Rootfs: root})
	second := start(t, d, testbed.Container{Rootfs: root})
	exec(t, first, "sh", "-ec", "echo x >/shared; chown 1000:1000 /shared")
	wantText(t, "owner in the second", exec(t, second, "stat", "-c", "%u:%g", "/shared"), "1000:1000")
}

// The working directory is made if the image lacks it, also in a read-only root.
func TestShapes_MissingWorkingDirectory(t *testing.T) {
	d := bed(t)
	for _, readOnly := range []bool{false, true} {
		t.Run(fmt.Sprintf("readonly=%t", readOnly), func(t *testing.T) {
			out := run(t, d, testbed.Container{
				Args: []string{"sh", "-c", "pwd; stat -c %u:%g ."}, ReadOnly: readOnly,
				Spec: func(s *specs.Spec) { s.Process.Cwd = "/work/dir" },
			})
			wantText(t, "working directory", out, "/work/dir\n0:0")
		})
	}
}

// A mount point that a read-only root lacks is made before it becomes read-only.
func TestShapes_ReadOnlyRootfsWithVolumes(t *testing.T) {
	d := bed(t)
	volume := t.TempDir()
	file(t, filepath.Join(volume, "file"), 1000, 0o644)
	for _, snapshotter := range []string{"overlayfs", "native"} {
		t.Run(snapshotter, func(t *testing.T) {
			out := run(t, d, testbed.Container{
				ReadOnly: true, Snapshotter: snapshotter,
				Args:   []string{"sh", "-ec", "stat -c %u /mnt/missing/file /etc/newfile; touch /mnt/missing/new; ! touch /mnt/new 2>/dev/null"},
				Mounts: []specs.Mount{testbed.Bind(volume, "/mnt/missing"), testbed.Bind(filepath.Join(volume, "file"), "/etc/newfile")},
			})
			wantText(t, "owners", out, "1000\n1000")
			if err := os.Remove(filepath.Join(volume, "new")); err != nil {
				t.Error(err)
			}
		})
	}
}

// The mount table of a container tells nothing about the host's directories.
func TestShapes_MountTableHidesTheHost(t *testing.T) {
	d := bed(t)
	volume := dir(t, filepath.Join(t.TempDir(), "secret-name"))
	out := run(t, d, testbed.Container{
		Args: []string{"cat", "/proc/self/mountinfo"}, Mounts: []specs.Mount{testbed.Bind(tmpfsVolume(t), "/mnt"), testbed.Bind(volume, "/etc/dir")},
	})
	for line := range strings.Lines(out) {
		if strings.Contains(line, d.Dir) || strings.Contains(line, "snapshots") {
			t.Errorf("a directory of the host shows: %s", line)
		}
	}
}
