package integration

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/diff"
	mounts "github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/rootfs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/eci-runtime/eci/integration/testbed"
)

// commit makes a layer of what a container has changed, as clients do for commit.
func commit(t *testing.T, d *testbed.Daemon, task *testbed.Task) ([]byte, error) {
	t.Helper()
	ctx := d.Context(deadline(t))
	desc, err := rootfs.CreateDiff(ctx, task.ID, d.Client().SnapshotService("overlayfs"), d.Client().DiffService(), diff.WithMediaType(ocispec.MediaTypeImageLayer))
	if err != nil {
		return nil, err
	}
	return content.ReadBlob(ctx, d.Client().ContentStore(), desc)
}

// export walks through the root file system of a container, as clients do for export.
func export(t *testing.T, d *testbed.Daemon, task *testbed.Task) (names []string) {
	t.Helper()
	ctx := d.Context(deadline(t))
	of, err := d.Client().SnapshotService("overlayfs").Mounts(ctx, task.ID)
	succeed(t, err)
	succeed(t, mounts.WithReadonlyTempMount(ctx, of, func(root string) error {
		return filepath.Walk(root, func(path string, _ os.FileInfo, err error) error {
			names = append(names, strings.TrimPrefix(path, root+"/"))
			return err
		})
	}))
	return names
}

// entries are the files of a layer below a directory, each with its owner.
func entries(t *testing.T, layer []byte, below string) (names []string) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		succeed(t, err)
		if strings.HasPrefix(h.Name, below) {
			names = append(names, h.Name)
		}
		if h.Uid >= rangeSize || h.Gid >= rangeSize {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
	}
}

// TestP16_CommitHoldsState: what an engine has stored becomes part of an image, with what
// the container's own image had there; a container of that has it in turn.
func TestP16_CommitHoldsState(t *testing.T) {
	d := bed(t)
	files := []testbed.File{
		{Path: "var/lib/docker", Dir: true, Mode: 0o710},
		{Path: "var/lib/docker/kept", Mode: 0o640, UID: 1000, GID: 1001, Data: []byte("kept\n")},
		{Path: "var/lib/docker/removed", Mode: 0o644},
	}
	task := start(t, d, engine(testbed.Container{Image: image(t, d, files)}))
	exec(t, task, "sh", "-ec", "cd /var/lib/docker; rm removed; mkdir layer; echo made >layer/file; chown 1000:1001 layer/file")
	layer, err := commit(t, d, task)
	succeed(t, err)
	want := strings.Fields("var/lib/docker/ var/lib/docker/.wh.removed var/lib/docker/layer/ var/lib/docker/layer/file")
	got := entries(t, layer, "var/lib/docker")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("committed are %q, want %q", got, want)
	}

	first, err := testbed.Layer(files...)
	succeed(t, err)
	task = start(t, d, engine(testbed.Container{Image: imageOf(t, d, first, layer)}))
	wantText(t, "state", exec(t, task, "sh", "-ec", "cd /var/lib/docker; ls; cat kept layer/file; stat -c %u:%g layer/file"), "kept\nlayer\nkept\nmade\n1000:1001")
	overlayWorks(t, task, "/var/lib/docker")
}

// TestP16_CommitWithWhiteouts: containerd walks through the container's overlay, to which
// whiteouts of inner ones are names without files. They are not committed; all else is, where
// the client pauses the container, as clients do, or where it has stopped.
func TestP16_CommitWithWhiteouts(t *testing.T) {
	d := bed(t)
	task := start(t, d, engine(testbed.Container{}))
	overlayWorks(t, task, "/var/lib/docker")
	want := strings.Fields("var/lib/docker/l/gone var/lib/docker/u/dir/ var/lib/docker/u/file var/lib/docker/u/moved")
	check := func(when string) {
		t.Helper()
		layer, err := commit(t, d, task)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		got := entries(t, layer, "var/lib/docker")
		exported := export(t, d, task)
		for _, name := range want {
			if !slices.Contains(exported, strings.TrimSuffix(name, "/")) {
				t.Errorf("%s: %s is not exported", when, name)
			}
			if !slices.Contains(got, name) {
				t.Errorf("%s: %s is not among %q", when, name, got)
			}
		}
		if slices.ContainsFunc(got, func(name string) bool { return strings.Contains(name, ".wh.") || strings.HasSuffix(name, "u/gone") }) {
			t.Errorf("%s: whiteouts are committed: %q", when, got)
		}
	}
	if _, err := commit(t, d, task); err == nil {
		t.Error("containerd commits whiteouts of an inner overlay: nothing needs to be hidden any more")
	}
	ctx := d.Context(deadline(t))
	succeed(t, task.Task.Pause(ctx))
	check("paused")
	succeed(t, task.Task.Resume(ctx))
	inState(t, task, layered+"rm m/moved; rm -r m/dir; umount m; mkdir more; mknod more/x c 0 0", "/var/lib/docker")
	// The inner overlay is what it was.
	wantText(t, "inner overlay", inState(t, task, layered+"ls m; umount m", "/var/lib/docker"), "file")

	want = strings.Fields("var/lib/docker/more/ var/lib/docker/u/file")
	succeed(t, task.Kill(ctx, syscall.SIGKILL))
	_, err := task.Wait(ctx)
	succeed(t, err)
	status, err := task.Task.Status(ctx)
	if err != nil || status.Status != client.Stopped {
		t.Fatalf("%+v, %v", status, err)
	}
	check("stopped")
}
