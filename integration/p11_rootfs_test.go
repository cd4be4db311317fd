package integration

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/diff"
	hostmount "github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/rootfs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// imageOwners are files of the image as they must look inside.
const imageOwners = "0:0 644 /own/0\n1000:1000 600 /own/1000\n65535:65535 640 /own/65535\n1000:2000 2770 /own/dir\n" +
	"0:0 4755 /suid/root\n1000:2000 6755 /suid/user\n1000:1000 755 /home/user\n0:0 1777 /tmp"

var statImage = []string{"stat", "-c", "%u:%g %a %n", "/own/0", "/own/1000", "/own/65535", "/own/dir", "/suid/root", "/suid/user", "/home/user", "/tmp"}

func TestP11_ImageOwners(t *testing.T) {
	d := bed(t)
	for _, snapshotter := range []string{"overlayfs", "native"} {
		t.Run(snapshotter, func(t *testing.T) {
			wantText(t, "owners", run(t, d, testbed.Container{Args: statImage, Snapshotter: snapshotter}), imageOwners)
		})
	}
	t.Run("directory", func(t *testing.T) {
		wantText(t, "owners", run(t, d, testbed.Container{Args: statImage, Rootfs: plainRootfs(t)}), imageOwners)
	})
}

// withPrivileges lets set-uid bits and file capabilities count.
func withPrivileges(s *specs.Spec) { s.Process.NoNewPrivileges = false }

func TestP11_SetuidAndFileCapabilities(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{User: "1000:1000", Spec: withPrivileges})
	type ids struct{ UID, EUID, GID, EGID uint32 }
	if got := decode[ids](t, exec(t, task, "/suid/root", "id")); got != (ids{1000, 0, 1000, 1000}) {
		t.Errorf("the set-uid program of root runs as %+v", got)
	}
	got := decode[ids](t, exec(t, start(t, d, testbed.Container{Spec: withPrivileges}), "/suid/user", "id"))
	if got != (ids{0, 1000, 0, 2000}) {
		t.Errorf("the set-uid program of user 1000 runs as %+v", got)
	}
	caps := decode[map[string]string](t, exec(t, task, "/caps/net_raw", "caps"))
	if caps["CapEff"] != "0000000000002000" {
		t.Errorf("the program with CAP_NET_RAW has %s", caps["CapEff"])
	}
	stat := nodes(t, exec(t, task, "/probe", "stat", "/caps/net_raw"))["/caps/net_raw"]
	if stat.Xattrs["security.capability"] == "" {
		t.Errorf("no file capability is seen inside: %v", stat)
	}
}

// upperDir is where the writable layer of a container lies on the host.
func upperDir(t *testing.T, d *testbed.Daemon, id string) string {
	t.Helper()
	mounts, err := d.Client().SnapshotService("overlayfs").Mounts(d.Context(deadline(t)), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range mounts[0].Options {
		if path, ok := strings.CutPrefix(option, "upperdir="); ok {
			return path
		}
	}
	t.Fatalf("no upper directory in %v", mounts)
	return ""
}

func TestP11_WritableLayerHasPlainOwners(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	exec(t, task, "sh", "-ec", "echo x >/new0; mkdir /newdir; echo x >/newdir/1000; chown 1000:2000 /newdir/1000; chown 65535:65535 /own/0; rm /own/65535; chmod u+s /probe")
	upper := upperDir(t, d, task.ID)
	for path, want := range map[string]string{
		"new0": "0:0", "newdir": "0:0", "newdir/1000": "1000:2000", "own/0": "65535:65535", "own": "0:0", "probe": "0:0", ".": "0:0",
	} {
		wantText(t, path+" on disk", owner(t, filepath.Join(upper, path)), want)
	}
	// Nothing below the layer or in the image belongs to the range.
	base := strings.Fields(mapping(t, task))[1]
	root := filepath.Dir(filepath.Dir(filepath.Dir(upper)))
	// -ignore_readdir_race: containerd removes what other tests have left.
	if out := command(t, "find", root, "-ignore_readdir_race", "-uid", "+65535", "-print"); out != "" {
		t.Errorf("files that belong to the range from %s:\n%s", base, out)
	}
}

// A commit of the container gives a layer with plain owners, and a container of
// the new image sees them.
func TestP11_Commit(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	exec(t, task, "sh", "-ec", "echo text >/committed; chown 1000:2000 /committed; rm -r /target")
	ctx := d.Context(deadline(t))
	ctx, done, err := d.Client().WithLease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = done(ctx) }()
	layer, err := rootfs.CreateDiff(ctx, task.ID, d.Client().SnapshotService("overlayfs"), d.Client().DiffService(), diff.WithMediaType(ocispec.MediaTypeImageLayerGzip))
	if err != nil {
		t.Fatal(err)
	}
	content, err := d.Client().ContentStore().ReaderAt(ctx, layer)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	zip, err := gzip.NewReader(io.NewSectionReader(content, 0, content.Size()))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for entries := tar.NewReader(zip); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = fmt.Sprintf("%d:%d", h.Uid, h.Gid)
		if h.Uid > 65535 || h.Gid > 65535 {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
	}
	if found["committed"] != "1000:2000" {
		t.Errorf("/committed belongs to %q in the layer %v", found["committed"], found)
	}
	if found[".wh.target"] == "" {
		t.Errorf("the removal of /target is not in the layer: %v", found)
	}
}

// The writable layer means the same to the host's overlay: what was removed,
// replaced and renamed inside looks so from outside.
func TestP11_WritableLayerMeansTheSameOutside(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Image: testbed.Layers100Name})
	exec(t, task, "sh", "-ec", "rm -r /own; mkdir /own; echo x >/own/new; rm /etc/file; mv /target/file /target/dir/moved; rm -r /layers; ln -s x /layers")
	if _, err := task.Task.Delete(d.Context(deadline(t)), killFirst); err != nil {
		t.Fatal(err)
	}
	mounts, err := d.Client().SnapshotService("overlayfs").Mounts(d.Context(deadline(t)), task.ID)
	if err != nil {
		t.Fatal(err)
	}
	err = hostmount.WithTempMount(deadline(t), mounts, func(root string) error {
		wantText(t, "/own", command(t, "ls", root+"/own"), "new")
		wantText(t, "/target", command(t, "ls", root+"/target", root+"/target/dir"), root+"/target:\ndir\n\n"+root+"/target/dir:\nmoved")
		wantText(t, "/layers", command(t, "readlink", root+"/layers"), "x")
		if _, err := os.Lstat(root + "/etc/file"); err == nil {
			t.Error("/etc/file is there again")
		}
		wantText(t, "owner of /own/new", owner(t, root+"/own/new"), "0:0")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The same container may get another range at its next start.
func TestP11_AnotherRangeAtTheNextStart(t *testing.T) {
	d := bed(t)
	first := start(t, d, testbed.Container{})
	before := mapping(t, first)
	exec(t, first, "sh", "-ec", "echo text >/kept; chown 1000:1000 /kept; mkdir /keptdir")
	if _, err := first.Task.Delete(d.Context(deadline(t)), killFirst); err != nil {
		t.Fatal(err)
	}
	other := start(t, d, testbed.Container{})
	wantText(t, "range of another container", mapping(t, other), before)

	again, err := d.Restart(deadline(t), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Delete(deadline(t)) })
	if mapping(t, again) == before {
		t.Error("the restarted container has the range of a living one")
	}
	out := exec(t, again, "sh", "-ec", "stat -c %u:%g /kept /keptdir; touch /keptdir/file; cat /kept")
	wantText(t, "after the restart", out, "1000:1000\n0:0\ntext")
	wantText(t, "image owners after the restart", exec(t, again, statImage...), imageOwners)
}

// A directory that is used as it is keeps its owners on disk as well.
func TestP11_DirectoryIsNeverChowned(t *testing.T) {
	root := plainRootfs(t)
	before := listing(t, filepath.Join(root, "own"))
	run(t, bed(t), testbed.Container{Rootfs: root, Args: []string{"true"}})
	if after := listing(t, filepath.Join(root, "own")); after != before {
		t.Errorf("/own was\n%s\nand is\n%s", before, after)
	}
	run(t, bed(t), testbed.Container{Rootfs: root, Args: []string{"sh", "-ec", "echo x >/made; chown 1000:2000 /made"}})
	wantText(t, "owner on disk", owner(t, filepath.Join(root, "made")), "1000:2000")
	if _, err := os.Stat(filepath.Join(root, "made")); err != nil {
		t.Error(err)
	}
}
