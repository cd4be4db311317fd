package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/containerd/v2/core/leases"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// stateDirs are the directories in which engines find no overlay below them, by default.
var stateDirs = strings.Fields("/var/lib/docker /var/lib/containerd /var/lib/kubelet /var/lib/rancher /var/lib/k0s /var/lib/buildkit /var/lib/containers")

// engine is a container in which an engine could run.
func engine(c testbed.Container) testbed.Container {
	c.CapAdd = append(c.CapAdd, "CAP_SYS_ADMIN")
	return c
}

// layered is a script that mounts an overlay on the directory $1/m as engines do it, once
// its layers are there, and that tells what it shows.
const layered = `set -e; cd "$1"
[ -d l ] || { mkdir l u w m; echo low >l/file; echo low >l/gone; mkdir l/dir; echo low >l/dir/file; chown 1000:1001 l/file; }
mount -t overlay -o userxattr,lowerdir=l,upperdir=u,workdir=w overlay m
`

// use is what a container does in an overlay: it changes, makes, deletes and renames files,
// and takes a directory's place by another.
const use = `cd m; echo new >file; rm -f gone; rm -r dir; mkdir dir; echo new >new; chown 1000:1001 new; mv new moved; cd ..; umount m
`

// inState runs a script with the arguments args in a running container.
func inState(t *testing.T, task *testbed.Task, script string, args ...string) string {
	t.Helper()
	return exec(t, task, append([]string{"sh", "-ec", script, "sh"}, args...)...)
}

// overlayWorks checks that dir can hold the upper layer of an overlay.
func overlayWorks(t *testing.T, task *testbed.Task, dir string) {
	t.Helper()
	inState(t, task, layered+use, dir)
	wantText(t, dir, inState(t, task, layered+"cd m; cat file moved; ls -A dir; ls; stat -c %u:%g file moved; cd ..; umount m", dir),
		"new\nnew\ndir\nfile\nmoved\n1000:1001\n1000:1001")
}

// exposed are the mounts of a container at directories of engines.
func exposed(t *testing.T, task *testbed.Task) (at []string) {
	t.Helper()
	for line := range strings.Lines(exec(t, task, "cat", "/proc/self/mountinfo")) {
		fields := strings.Fields(line)
		if point := fields[4]; strings.HasPrefix(point, "/var/lib") || strings.HasPrefix(point, "/data") {
			at = append(at, point)
		}
	}
	return at
}

func wantExposed(t *testing.T, task *testbed.Task, want ...string) {
	t.Helper()
	if got := exposed(t, task); !slices.Equal(got, want) {
		t.Errorf("mounted are %q, want %q", got, want)
	}
}

// image imports an image that has more layers than that of the tests.
func image(t *testing.T, d *testbed.Daemon, layers ...[]testbed.File) string {
	t.Helper()
	var packed [][]byte
	for _, files := range layers {
		layer, err := testbed.Layer(files...)
		succeed(t, err)
		packed = append(packed, layer)
	}
	return imageOf(t, d, packed...)
}

// imageOf is image with layers that are packed.
func imageOf(t *testing.T, d *testbed.Daemon, layers ...[]byte) string {
	t.Helper()
	images, err := buildImages()
	succeed(t, err)
	derived := images[0]
	derived.Name, derived.Layers = d.UniqueID("localhost/state")+":latest", slices.Concat(derived.Layers, layers)
	succeed(t, d.Import(deadline(t), derived))
	return derived.Name
}

// again ends a container's task and starts another one on the same writable layer.
func again(t *testing.T, d *testbed.Daemon, task *testbed.Task) *testbed.Task {
	t.Helper()
	_, err := task.Task.Delete(d.Context(deadline(t)), killFirst)
	succeed(t, err)
	next, err := d.Restart(deadline(t), task.ID)
	succeed(t, err)
	return next
}

// TestP16_StateHoldsOverlays: in each of the directories an overlay can be mounted that is
// written to; on disk it belongs to those whom it belongs to inside.
func TestP16_StateHoldsOverlays(t *testing.T) {
	d := bed(t)
	task := start(t, d, engine(testbed.Container{}))
	wantExposed(t, task, stateDirs...)
	for _, dir := range stateDirs {
		overlayWorks(t, task, dir)
	}
	inState(t, task, "cd /var/lib/docker; mknod whiteout c 0 0; ! mknod disk b 7 0 2>/dev/null")

	owners := map[string]int{}
	upper := upperDir(t, d, task.ID)
	succeed(t, filepath.WalkDir(filepath.Join(upper, "var"), func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		owners[fmt.Sprintf("%d:%d", st.Uid, st.Gid)]++
		return nil
	}))
	if owners["0:0"] == 0 || owners["1000:1001"] == 0 || len(owners) != 2 {
		t.Errorf("owners on disk: %v", owners)
	}
	info, err := os.Stat(filepath.Join(upper, "var/lib/docker/whiteout"))
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		t.Errorf("no whiteout: %v, %v", info, err)
	}
}

// TestP16_StateOnPlainOverlayFails: what the directories are for. Elsewhere in the root
// file system no overlay can be mounted.
func TestP16_StateOnPlainOverlayFails(t *testing.T) {
	d := bed(t)
	task := start(t, d, engine(testbed.Container{}))
	result, err := task.Exec(deadline(t), "sh", "-ec", "mkdir /plain\n"+layered, "sh", "/plain")
	succeed(t, err)
	if result.Code == 0 {
		t.Error("the kernel takes an overlay as the upper layer of another one: nothing needs to be exposed any more")
	}
}

// TestP16_StateOnlyWhereItIsOfUse: who may not mount, or not write, gets nothing mounted
// and nothing made; nor does who is not meant to.
func TestP16_StateOnlyWhereItIsOfUse(t *testing.T) {
	d := bed(t)
	for name, c := range map[string]testbed.Container{
		"no right to mount":   {},
		"read-only":           engine(testbed.Container{ReadOnly: true}),
		"no writable layer":   engine(testbed.Container{View: true, ReadOnly: true}),
		"no overlay, a plain": engine(testbed.Container{Snapshotter: "native"}),
	} {
		t.Run(name, func(t *testing.T) {
			task := start(t, d, c)
			wantExposed(t, task)
			wantText(t, "made", exec(t, task, "ls", "/var/lib"), "")
		})
	}
	t.Run("other list", func(t *testing.T) {
		d := freshBed(t, testbed.Options{Config: "state.directories = ['/data/x', '/var/lib/k0s']"})
		task := start(t, d, engine(testbed.Container{}))
		wantExposed(t, task, "/data/x", "/var/lib/k0s")
		overlayWorks(t, task, "/data/x")
		wantText(t, "made", exec(t, task, "ls", "/var/lib"), "k0s")
	})
	t.Run("no list", func(t *testing.T) {
		d := freshBed(t, testbed.Options{Config: "state.directories = []"})
		wantExposed(t, start(t, d, engine(testbed.Container{})))
	})
}

// TestP16_StateStaysInTheContainer: it is there after stop and start, with other IDs, and
// gone with the container.
func TestP16_StateStaysInTheContainer(t *testing.T) {
	d := bed(t)
	task := start(t, d, engine(testbed.Container{}))
	overlayWorks(t, task, "/var/lib/docker")
	before := mapping(t, task)
	_, err := task.Task.Delete(d.Context(deadline(t)), killFirst)
	succeed(t, err)
	start(t, d, testbed.Container{}) // has the range now
	task, err = d.Restart(deadline(t), task.ID)
	succeed(t, err)
	if mapping(t, task) == before {
		t.Errorf("the mapping is %s again", before)
	}
	overlayWorks(t, task, "/var/lib/docker")

	snapshot := filepath.Dir(upperDir(t, d, task.ID))
	// Work directories of overlays that nobody has unmounted are left, with mode 0.
	inState(t, task, layered+"echo 1 >m/file", "/var/lib/docker")
	succeed(t, task.Delete(deadline(t)))
	collectGarbage(t, d)
	if _, err := os.Lstat(snapshot); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", snapshot, err)
	}
}

// dockersContent is what an image has in a directory of an engine, in two layers: the upper one
// takes something away, and so do overlays of the engine's, whose layers these are.
func dockersContent() [][]testbed.File {
	const root = "var/lib/docker"
	return [][]testbed.File{
		{
			{Path: root, Dir: true, Mode: 0o710, UID: 5, GID: 6},
			{Path: root + "/kept", Mode: 0o640, UID: 1000, GID: 1001, Data: []byte("lower"), Xattrs: map[string]string{"user.a": "b"}},
			{Path: root + "/removed", Mode: 0o644, Data: []byte("lower")},
			{Path: root + "/program", Mode: 0o4755, Data: []byte("lower")},
			{Path: root + "/link", Mode: 0o777, Link: "/etc/passwd"},
			{Path: root + "/overlay2", Dir: true, Mode: 0o755},
			{Path: root + "/overlay2/a", Dir: true, Mode: 0o711, Xattrs: map[string]string{"user.overlay.opaque": "y"}},
			{Path: root + "/overlay2/a/file", Mode: 0o600, Data: []byte("a")},
			{Path: root + "/overlay2/a/.wh.hidden", Mode: 0o600},
		},
		{
			{Path: root + "/.wh.removed", Mode: 0o644},
			{Path: root + "/overlay2/b", Dir: true, Mode: 0o711},
			{Path: root + "/overlay2/b/file", Mode: 0o600, Data: []byte("b")},
		},
	}
}

// TestP16_StateOfTheImage: what an image has in such a directory is there, whole, and the
// container's own from then on.
func TestP16_StateOfTheImage(t *testing.T) {
	d := bed(t)
	task := start(t, d, engine(testbed.Container{Image: image(t, d, dockersContent()...)}))
	wantExposed(t, task, stateDirs...)
	const root = "/var/lib/docker/"
	look := func() string {
		return inState(t, task, `cd /var/lib/docker; find . | sort | xargs stat -c '%n %F %a %u:%g %t:%T'; readlink link; cat overlay2/*/file`)
	}
	want := strings.TrimSpace(`
. directory 710 5:6 0:0
./kept regular file 640 1000:1001 0:0
./link symbolic link 777 0:0 0:0
./overlay2 directory 755 0:0 0:0
./overlay2/a directory 711 0:0 0:0
./overlay2/a/file regular file 600 0:0 0:0
./overlay2/a/hidden character special file 0 0:0 0:0
./overlay2/b directory 711 0:0 0:0
./overlay2/b/file regular file 600 0:0 0:0
./program regular file 4755 0:0 0:0
/etc/passwd
ab`)
	wantText(t, "content", look(), want)
	found := nodes(t, exec(t, task, "/probe", "stat", root+"kept", root+"overlay2/a"))
	if found[root+"kept"].Xattrs["user.a"] != "62" || found[root+"overlay2/a"].Xattrs["user.overlay.opaque"] != "79" {
		t.Errorf("extended attributes: %v", found)
	}

	// Layers of the image serve an inner overlay, in which their whiteouts count.
	wantText(t, "inner overlay", inState(t, task, `cd /var/lib/docker; mkdir u w m low; echo 1 >low/hidden; echo 1 >low/seen
mount -t overlay -o userxattr,lowerdir=overlay2/b:overlay2/a:low,upperdir=u,workdir=w overlay m; ls m; umount m; rm -r u w m low`), "file\nseen")

	// The second start copies nothing, and finds what the first left.
	exec(t, task, "rm", "-r", root+"overlay2/b", root+"program")
	exec(t, task, "sh", "-c", "echo mine >"+root+"kept")
	kept := filepath.Join(upperDir(t, d, task.ID), root, "kept")
	before := status(t, kept)
	task = again(t, d, task)
	wantText(t, "after stop and start", inState(t, task, "cd /var/lib/docker; find . | sort; cat kept"),
		".\n./kept\n./link\n./overlay2\n./overlay2/a\n./overlay2/a/file\n./overlay2/a/hidden\nmine")
	if after := status(t, kept); after.Ino != before.Ino || after.Ctim != before.Ctim {
		t.Errorf("%s was touched by the second start: %+v, %+v", kept, before, after)
	}
}

func status(t *testing.T, path string) syscall.Stat_t {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// TestP16_VolumeBeforeState: where the client mounts something, at such a directory, above,
// or by a link of the image, that is what is there; what it mounts below is below.
func TestP16_VolumeBeforeState(t *testing.T) {
	d := bed(t)
	others := slices.DeleteFunc(slices.Clone(stateDirs), func(dir string) bool { return dir == "/var/lib/docker" })
	volume := func(t *testing.T) string {
		source := ext4Volume(t) // a tmpfs can be mapped since Linux 6.3
		file(t, filepath.Join(source, "mine"), 1000, 0o644)
		return source
	}
	t.Run("at", func(t *testing.T) {
		task := start(t, d, engine(testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume(t), "/var/lib/docker")}}))
		wantExposed(t, task, append(others, "/var/lib/docker")...)
		wantText(t, "volume", exec(t, task, "ls", "/var/lib/docker"), "mine")
		overlayWorks(t, task, "/var/lib/docker")
		if _, err := os.Stat(filepath.Join(upperDir(t, d, task.ID), "var/lib/docker/l")); !os.IsNotExist(err) {
			t.Errorf("the volume is not where the engine writes: %v", err)
		}
	})
	t.Run("above", func(t *testing.T) {
		task := start(t, d, engine(testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume(t), "/var/lib")}}))
		wantExposed(t, task, "/var/lib")
		wantText(t, "volume", exec(t, task, "ls", "/var/lib"), "mine")
	})
	t.Run("below", func(t *testing.T) {
		task := start(t, d, engine(testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume(t), "/var/lib/docker/volumes/v")}}))
		wantExposed(t, task, slices.Insert(slices.Clone(stateDirs), 1, "/var/lib/docker/volumes/v")...)
		wantText(t, "volume", exec(t, task, "ls", "/var/lib/docker/volumes/v"), "mine")
		overlayWorks(t, task, "/var/lib/docker")
	})
	t.Run("by a link", func(t *testing.T) {
		name := image(t, d, []testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "/data/docker"}})
		task := start(t, d, engine(testbed.Container{Image: name, Mounts: []specs.Mount{testbed.Bind(volume(t), "/data")}}))
		wantExposed(t, task, append(others, "/data")...)
	})
	t.Run("tmpfs", func(t *testing.T) {
		task := start(t, d, engine(testbed.Container{Mounts: []specs.Mount{{Type: "tmpfs", Source: "tmpfs", Destination: "/var/lib/docker", Options: []string{"size=64k"}}}}))
		wantText(t, "type", exec(t, task, "stat", "-f", "-c", "%T", "/var/lib/docker"), "tmpfs")
	})
}

// TestP16_StateByDockersConfiguration: the directory that the image configures for Docker
// counts like one of the list, if it can be one.
func TestP16_StateByDockersConfiguration(t *testing.T) {
	d := bed(t)
	config := func(text string) []testbed.File {
		return []testbed.File{{Path: "etc/docker", Dir: true, Mode: 0o755}, {Path: "etc/docker/daemon.json", Mode: 0o644, Data: []byte(text)}}
	}
	task := start(t, d, engine(testbed.Container{Image: image(t, d, config(`{"debug": true, "data-root": "/data/docker"}`))}))
	wantExposed(t, task, append(slices.Clone(stateDirs), "/data/docker")...)
	overlayWorks(t, task, "/data/docker")

	for _, hostile := range []string{
		`{"data-root": "/"}`, `{"data-root": "/etc"}`, `{"data-root": "/var/lib"}`, `{"data-root": "/usr/lib/x"}`, `{"data-root": "data"}`, `{"data-root": "/data/../etc"}`,
		`{"data-root": "/esc-abs"}`, `{"data-root": "/esc-rel/x"}`, `{"data-root": ["/data"]}`, `{"data-root": "/data`, ``, `{"data-root": "/etc/passwd"}`, `{"data-root": "/own/0"}`,
	} {
		task := start(t, d, engine(testbed.Container{Image: image(t, d, config(hostile))}))
		wantExposed(t, task, stateDirs...)
		succeed(t, task.Delete(deadline(t)))
	}
	for _, link := range []string{"/dev/zero", "/dev/tty", "/proc/self/mem", "daemon.json"} {
		name := image(t, d, []testbed.File{{Path: "etc/docker/daemon.json", Mode: 0o777, Link: link}})
		task := start(t, d, engine(testbed.Container{Image: name}))
		wantExposed(t, task, stateDirs...)
		succeed(t, task.Delete(deadline(t)))
	}
}

// collectGarbage has containerd remove what nothing refers to.
func collectGarbage(t *testing.T, d *testbed.Daemon) {
	t.Helper()
	ctx, manager := d.Context(deadline(t)), d.Client().LeasesService()
	lease, err := manager.Create(ctx, leases.WithRandomID())
	succeed(t, err)
	succeed(t, manager.Delete(ctx, lease, leases.SynchronousDelete))
}
