package integration

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestShapes_HostileImages runs root file systems whose directories are links
// that lead out of them. Whether the container starts is not asserted; that
// nothing outside of it is touched, and nothing left, is.
func TestShapes_HostileImages(t *testing.T) {
	d := bed(t)
	for _, name := range []string{"dev", "proc", "sys", "run", "etc", "mnt", "dev/shm", "dev/pts", "dev/mqueue", "dev/null"} {
		t.Run(name, func(t *testing.T) {
			root, outside := plainRootfs(t), t.TempDir()
			path := filepath.Join(root, name)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, path); err != nil {
				t.Fatal(err)
			}
			result, err := d.Run(deadline(t), withRuntime(testbed.Container{
				Rootfs: root, Args: []string{"/bin/sh", "-c", "echo x >/mnt/vol/inside"},
				Mounts: []specs.Mount{testbed.Bind(t.TempDir(), "/mnt/vol"), testbed.Bind("/etc/hostname", "/etc/hostname")},
			}))
			t.Logf("status %d, %v", result.Code, err)
			// Below the root file system, the link is followed there.
			for _, entry := range entriesOf(t, outside) {
				t.Errorf("made outside of the root file system: %s", entry)
			}
			checkClean(t, d)
		})
	}
}

func entriesOf(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// A container that shares its directory with one that is being created swaps a
// mount point for a link that leads out, as fast as it can.
func TestShapes_MountPointSwappedDuringCreate(t *testing.T) {
	d := bed(t)
	root, outside := plainRootfs(t), t.TempDir()
	start(t, d, testbed.Container{Rootfs: root, Args: []string{
		"sh", "-c", "cd /; mkdir -p a b; while :; do rm -rf swap; ln -s " + outside + " swap; rm -f swap; ln -s ../../../../../../.." + outside + " swap; rm -f swap; mkdir swap; done",
	}})
	volume := volumeWithFile(t)
	started := 0
	for range 25 {
		result, err := d.Run(deadline(t), withRuntime(testbed.Container{
			Rootfs: root, Args: []string{"test", "-f", "/swap/vol/f"},
			Mounts: []specs.Mount{testbed.Bind(volume, "/swap/vol"), testbed.Bind(filepath.Join(volume, "f"), "/swap/file")},
		}))
		if err == nil && result.Code == 0 {
			started++
		}
		for _, entry := range entriesOf(t, outside) {
			t.Fatalf("made outside of the root file system: %s", entry)
		}
	}
	t.Logf("%d of 25 containers found their volume", started)
}
