package integration

import (
	"context"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP16_StateBehindLinksOfTheImage: an image may lead anywhere inside, and nowhere
// outside; what belongs to its system stays what it is.
func TestP16_StateBehindLinksOfTheImage(t *testing.T) {
	d := bed(t)
	outside := dir(t, filepath.Join(t.TempDir(), "outside"))
	file(t, filepath.Join(outside, "file"), 0, 0o644)
	before := listing(t, outside)
	others := stateDirs[1:]
	for name, c := range map[string]struct {
		files []testbed.File
		want  []string // mounted beside others
	}{
		"inside":          {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "/data/docker"}}, []string{"/data/docker"}},
		"the root":        {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "/"}}, nil},
		"above the root":  {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "../../../../../.."}}, nil},
		"the host":        {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: outside}}, nil},
		"the system":      {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "/etc"}}, nil},
		"devices":         {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "/dev/state"}}, nil},
		"itself":          {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "docker"}}, nil},
		"a file":          {[]testbed.File{{Path: "var/lib/docker", Mode: 0o644, Data: []byte("x")}}, nil},
		"another of them": {[]testbed.File{{Path: "var/lib/docker", Mode: 0o777, Link: "containers"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			task := start(t, d, engine(testbed.Container{Image: image(t, d, c.files)}))
			got := slices.DeleteFunc(exposed(t, task), func(dir string) bool { return slices.Contains(others, dir) || strings.HasPrefix(outside, dir) })
			if !slices.Equal(got, c.want) {
				t.Errorf("mounted are %q, want %q", got, c.want)
			}
			wantText(t, "/etc/file", exec(t, task, "cat", "/etc/file"), "image")
		})
	}
	wantText(t, "outside", listing(t, outside), strings.TrimSpace(before))
}

// TestP16_StateChangedByTheContainer: what a container, with all rights inside, has made of
// its writable layer leads nobody out at its next start.
func TestP16_StateChangedByTheContainer(t *testing.T) {
	d := bed(t)
	outside := dir(t, filepath.Join(t.TempDir(), "outside"))
	file(t, filepath.Join(outside, "file"), 0, 0o644)
	before := listing(t, outside)
	for name, script := range map[string]string{
		"above":  "mv /var/lib /var/old; ln -s %s /var/lib",
		"far up": "mv /var /old; mkdir /var; ln -s ../../../../../../../../..%s /var/lib",
	} {
		t.Run(name, func(t *testing.T) {
			// The list's last is not exposed at first, so that nothing is mounted in /var.
			task := start(t, d, testbed.Container{})
			exec(t, task, "sh", "-ec", strings.ReplaceAll(script, "%s", outside))
			_, err := task.Task.Delete(d.Context(deadline(t)), killFirst)
			succeed(t, err)
			task, err = restartWith(t, d, task)
			succeed(t, err)
			wantText(t, "outside", listing(t, outside), strings.TrimSpace(before))
			inside := exec(t, task, "ls", outside)
			if !strings.Contains(inside, "docker") || strings.Contains(inside, "file") {
				t.Errorf("in the container's %s are %q", outside, inside)
			}
		})
	}
	t.Run("on disk", func(t *testing.T) {
		// As if the container had got hold of its layer from below.
		task := start(t, d, engine(testbed.Container{}))
		upper := upperDir(t, d, task.ID)
		_, err := task.Task.Delete(d.Context(deadline(t)), killFirst)
		succeed(t, err)
		succeed(t, os.Rename(upper+"/var/lib/docker", upper+"/var/lib/old"), os.Symlink(outside, upper+"/var/lib/docker"))
		succeed(t, os.Remove(upper+"/var/lib/k0s"), unix.Mkfifo(upper+"/var/lib/k0s", 0o644))
		task, err = d.Restart(deadline(t), task.ID)
		succeed(t, err)
		wantText(t, "outside", listing(t, outside), strings.TrimSpace(before))
		for _, dir := range []string{"/var/lib/docker", "/var/lib/k0s"} {
			if slices.Contains(exposed(t, task), dir) {
				t.Errorf("%s is mounted", dir)
			}
		}
	})
}

// restartWith starts a new task for a container, now with the right to mount.
func restartWith(t *testing.T, d *testbed.Daemon, task *testbed.Task) (*testbed.Task, error) {
	t.Helper()
	ctx := d.Context(deadline(t))
	succeed(t, task.Container.Update(ctx, func(ctx context.Context, client *client.Client, c *containers.Container) error {
		spec, err := task.Container.Spec(ctx)
		if err != nil {
			return err
		}
		spec.Process.Capabilities.Bounding = append(spec.Process.Capabilities.Bounding, "CAP_SYS_ADMIN")
		c.Spec, err = typeurl.MarshalAny(spec)
		return err
	}))
	return d.Restart(deadline(t), task.ID)
}

// TestP16_StateAfterACrash: an engine's overlays and the shim are gone at once; nothing is
// left, and the next task has the state.
func TestP16_StateAfterACrash(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	task, err := d.Start(deadline(t), withRuntime(engine(testbed.Container{Args: []string{"sleep", "100000"}, Image: image(t, d, dockersContent()...)})))
	succeed(t, err)
	t.Cleanup(func() { deleteByID(t, d, task.ID) })
	inState(t, task, layered+"echo 1 >m/file; sleep 100000 <m/file >/dev/null 2>&1 &", "/var/lib/docker")
	killShims(t, d, task.ID)
	for ctx := d.Context(deadline(t)); ; {
		left, err := task.Container.Task(ctx, nil)
		if errdefs.IsNotFound(err) {
			break // containerd has cleaned up
		}
		if err == nil {
			_, _ = left.Delete(ctx, killFirst)
		}
		succeed(t, ctx.Err())
	}
	checkClean(t, d)
	again, err := d.Restart(deadline(t), task.ID)
	succeed(t, err)
	wantText(t, "state", inState(t, again, layered+"cat m/file ../docker/kept; umount m", "/var/lib/docker"), "1\nlower")
}

// TestP16_StateOnAFullDisk: a container starts although nothing can be written, with the
// state that it has; one for which nothing can be made sees what its image has.
func TestP16_StateOnAFullDisk(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	// The snapshots, and nothing else of containerd's, lie on a small disk.
	disk, device := loopVolume(t)
	succeed(t, os.Chmod(disk, 0o711))
	command(t, "tune2fs", "-m", "0", device)
	mount(t, device, filepath.Join(d.Dir, "root/io.containerd.snapshotter.v1.overlayfs/snapshots"), "ext4", 0)

	large := testbed.File{Path: "var/lib/docker/large", Mode: 0o644, Data: make([]byte, 4<<20)}
	for i := range large.Data {
		large.Data[i] = byte(i)
	}
	later, err := d.Define(deadline(t), withRuntime(engine(testbed.Container{
		Args:  []string{"sleep", "100000"},
		Image: image(t, d, []testbed.File{{Path: "var/lib/docker", Dir: true, Mode: 0o710}, {Path: "var/lib/docker/a", Mode: 0o644, Data: []byte("a\n")}, large}),
	})))
	succeed(t, err)
	t.Cleanup(func() { succeed(t, d.Delete(deadline(t), later.ID())) })

	task := start(t, d, engine(testbed.Container{}))
	overlayWorks(t, task, "/var/lib/docker")
	inState(t, task, layered+"! dd if=/dev/zero of=m/fill bs=64k 2>/dev/null; ! dd if=/dev/zero of=m/rest bs=512 2>/dev/null", "/var/lib/docker")
	if result, err := task.Exec(deadline(t), "sh", "-c", "echo more >>/var/lib/docker/m/rest"); err != nil || !strings.Contains(result.Stderr, "No space left on device") {
		t.Errorf("the disk is not full: %+v, %v", result, err)
	}
	task = again(t, d, task)
	wantExposed(t, task, stateDirs...)
	wantText(t, "state", inState(t, task, layered+"cat m/moved; umount m", "/var/lib/docker"), "new")

	short, err := d.Restart(deadline(t), later.ID())
	succeed(t, err)
	wantExposed(t, short)
	wantText(t, "content", exec(t, short, "sh", "-c", "cd /var/lib/docker; cat a; stat -c %s large"), "a\n4194304")
	if !strings.Contains(d.Log(), "the state of engines stays on overlayfs") {
		t.Error("the log does not say so")
	}

	inState(t, task, layered+"rm m/fill m/rest; umount m", "/var/lib/docker")
	short = again(t, d, short)
	wantExposed(t, short, stateDirs...)
	wantText(t, "content", exec(t, short, "sh", "-c", "cd /var/lib/docker; cat a; md5sum <large"), "a\n"+md5Text(large.Data)+"  -")
	overlayWorks(t, short, "/var/lib/docker")
}

func md5Text(data []byte) string { return fmt.Sprintf("%x", md5.Sum(data)) }

// TestP16_CrashWhileTheImageIsCopied: what was copied stays, the rest is copied by the next
// start, and the container never misses anything.
func TestP16_CrashWhileTheImageIsCopied(t *testing.T) {
	const count = 3000
	d := freshBed(t, testbed.Options{})
	files := []testbed.File{{Path: "var/lib/docker/files", Dir: true, Mode: 0o711}}
	for i := range count {
		files = append(files, testbed.File{Path: fmt.Sprintf("var/lib/docker/files/%d", i), Mode: 0o644, Data: fmt.Append(nil, i)})
	}
	made, err := d.Define(deadline(t), withRuntime(engine(testbed.Container{Args: []string{"sleep", "100000"}, Image: image(t, d, files)})))
	succeed(t, err)
	t.Cleanup(func() { deleteByID(t, d, made.ID()) })
	copied := func() int {
		found, err := os.ReadDir(filepath.Join(upperDir(t, d, made.ID()), "var/lib/docker/files"))
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		return len(found)
	}
	created := make(chan error)
	go func() {
		_, err := d.Restart(deadline(t), made.ID())
		created <- err
	}()
	eventually(t, "something is copied", func() (string, bool) { n := copied(); return fmt.Sprint(n), n > 0 })
	killShims(t, d, made.ID())
	if err := <-created; err == nil {
		t.Fatal("the shim was killed, and the container was created")
	}
	if n := copied(); n == 0 || n == count {
		t.Fatalf("%d of %d files were copied when the shim was killed", n, count)
	}
	checkClean(t, d)
	task, err := d.Restart(deadline(t), made.ID())
	succeed(t, err)
	wantText(t, "files, and their sum", inState(t, task, "cd /var/lib/docker/files; ls | wc -l; cat * | wc -c; cat 2999"), fmt.Sprintf("%d\n%d\n2999", count, 10+90*2+900*3+2000*4))
	wantExposed(t, task, stateDirs...)
	if n := copied(); n != count {
		t.Errorf("%d of %d files are copied", n, count)
	}
}
