package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	snapshotter "github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/image-spec/identity"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// What an image may not have the socket for, in the words of Docker's Enhanced
// Container Isolation; the last word is the name of the image's repository.
const denied = `socket mount denied for container with image "eci.test/busybox"; image is not in the allowed list`

// fakeDocker serves something like Docker's API at <dir>/docker.sock.
type fakeDocker struct {
	dir, socket string
}

func newFakeDocker(t *testing.T) fakeDocker {
	t.Helper()
	dir, err := os.MkdirTemp("", "eci-p07-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return serveDocker(t, dir)
}

func serveDocker(t *testing.T, dir string) fakeDocker {
	t.Helper()
	f := fakeDocker{dir, filepath.Join(dir, "docker.sock")}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.socket, 0o660); err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(f.answer)}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return f
}

// answer repeats what was asked. What is said on a hijacked connection comes back in
// capital letters.
func (f fakeDocker) answer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		fmt.Fprintf(w, "docker was asked %s %s", r.Method, r.URL)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	said := new(strings.Builder)
	_, _ = buffered.WriteTo(said)
	fmt.Fprint(conn, strings.ToUpper(said.String()))
}

// request is one of HTTP, after which the connection is closed.
func request(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
}

// configure adds lines to the runtime's configuration while the test runs.
func configure(t *testing.T, d *testbed.Daemon, lines string) {
	t.Helper()
	before, err := os.ReadFile(d.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(d.ConfigFile(), before, 0o600); err != nil {
			t.Error(err)
		}
		_ = os.Remove(filepath.Join(d.Dir, "images.lock"))
	})
	if err := os.WriteFile(d.ConfigFile(), append(before, lines...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pinImages has the administrator's command pin images.
func pinImages(t *testing.T, d *testbed.Daemon, names ...string) {
	t.Helper()
	args := []string{"policy", "pin", "--config", d.ConfigFile(), "--address", d.Address, "--namespace", d.Namespace}
	command(t, filepath.Join(d.Programs.Dir, "eci"), append(args, names...)...)
}

// say has a container say something to its socket, and gives what it hears.
func say(t *testing.T, task *testbed.Task, text ...string) string {
	t.Helper()
	answer := decode[map[string]string](t, exec(t, task, append([]string{"/probe", "unix", "/docker.sock"}, text...)...))
	if answer["errno"] != "" {
		t.Errorf("talk to the engine: %s", answer["errno"])
	}
	return answer["heard"]
}

func TestP07_SocketIsRefusedUnderEveryName(t *testing.T) {
	d, docker := bed(t), newFakeDocker(t)
	configure(t, d, fmt.Sprintf("[sockets]\nengines = [%q]\n", docker.socket))

	other := t.TempDir()
	link := filepath.Join(other, "link")
	must(t, os.Symlink(docker.socket, link))
	hard := filepath.Join(docker.dir, "hard.sock")
	must(t, os.Link(docker.socket, hard))
	alias := filepath.Join(other, "alias")
	must(t, os.WriteFile(alias, nil, 0o600))
	mount(t, docker.socket, alias, "", bindFlag)
	aliasDir := dir(t, filepath.Join(other, "dir"))
	mount(t, docker.dir, aliasDir, "", bindFlag)

	for name, source := range map[string]string{
		"path": docker.socket, "symlink": link, "hard link": hard, "bind alias": alias,
		"in a bind alias": filepath.Join(aliasDir, "docker.sock"), "climbing": other + "/../" + filepath.Base(other) + "/link",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/docker.sock")}}, "docker "+denied, "rule engine-socket, field mounts[")
		})
	}
	for name, source := range map[string]string{"parent": docker.dir, "alias of the parent": aliasDir, "all": "/", "through a process": "/proc/1/root" + docker.socket} {
		t.Run(name, func(t *testing.T) {
			refused(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(source, "/mnt")}}, "error in the container spec: ")
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// containerd's own socket, the real one of the bed.
func TestP07_ContainerdSocket(t *testing.T) {
	d := bed(t)
	socket := filepath.Join(d.Dir, "containerd.sock")
	must(t, os.Symlink(d.Address, socket))
	t.Cleanup(func() { os.Remove(socket) })
	configure(t, d, fmt.Sprintf("[sockets]\nengines = [%q]\nimages = [%q]\n", socket, testbed.BusyboxName))
	c := testbed.Container{Mounts: []specs.Mount{testbed.Bind(d.Address, "/containerd.sock"), testbed.Bind(d.Programs.Ctr, "/bin/ctr", "ro")}}

	refused(t, d, c, `containerd socket mount denied for container with image "eci.test/busybox"`, `nothing was pinned to "`+testbed.BusyboxName+`"`)
	pinImages(t, d, testbed.BusyboxName)
	task := start(t, d, c)
	out := exec(t, task, "ctr", "--address", "/containerd.sock", "--namespace", d.Namespace, "containers", "ls", "-q")
	if !strings.Contains(out, task.ID) {
		t.Errorf("ctr inside does not see its own container: %q", out)
	}
	wantText(t, "owner of the socket", exec(t, task, "stat", "-c", "%u:%g %a", "/containerd.sock"), "0:0 660")
}

func TestP07_ImageIsItsContent(t *testing.T) {
	d, docker := bed(t), newFakeDocker(t)
	derived, stranger := derivedImage(t, "eci.test/derived:1"), derivedImage(t, "eci.test/stranger:1")
	slices.Reverse(stranger.Layers) // the same content, but not the same chain
	for _, image := range []testbed.Image{derived, stranger} {
		must(t, d.Import(deadline(t), image))
		t.Cleanup(func() { removeImage(t, d, image.Name) })
	}
	sockets := fmt.Sprintf("[sockets]\nengines = [%q]\nimages = [%q]\n", docker.socket, testbed.BusyboxName)
	mounts := []specs.Mount{testbed.Bind(docker.socket, "/docker.sock")}

	t.Run("pinned", func(t *testing.T) {
		configure(t, d, sockets)
		pinImages(t, d, testbed.BusyboxName)
		task := start(t, d, testbed.Container{Mounts: mounts})
		if got := say(t, task, request("GET", "/version")); !strings.HasSuffix(got, "docker was asked GET /version") {
			t.Errorf("docker says %q", got)
		}
		wantText(t, "owner of the socket", exec(t, task, "stat", "-c", "%u:%g %a", "/docker.sock"), "0:0 660")
	})
	t.Run("under another name", func(t *testing.T) {
		configure(t, d, sockets)
		pinImages(t, d, testbed.BusyboxName)
		tag(t, d, testbed.BusyboxName, "eci.test/other:1")
		start(t, d, testbed.Container{Image: "eci.test/other:1", Mounts: mounts})
	})
	t.Run("retagged", func(t *testing.T) {
		configure(t, d, strings.Replace(sockets, testbed.BusyboxName, "eci.test/moved:1", 1))
		tag(t, d, testbed.BusyboxName, "eci.test/moved:1")
		pinImages(t, d, "eci.test/moved:1")
		tag(t, d, stranger.Name, "eci.test/moved:1")
		refused(t, d, testbed.Container{Image: "eci.test/moved:1", Mounts: mounts},
			`with image "eci.test/moved"; image is not in the allowed list: its content is not what "eci.test/moved:1" was pinned to`)
	})
	t.Run("derived", func(t *testing.T) {
		configure(t, d, sockets)
		pinImages(t, d, testbed.BusyboxName)
		refused(t, d, testbed.Container{Image: derived.Name, Mounts: mounts}, `it was built on "`+testbed.BusyboxName+`", but sockets.allow_derived is not set`)
	})
	t.Run("derived, allowed", func(t *testing.T) {
		configure(t, d, sockets+"allow_derived = true\n")
		pinImages(t, d, testbed.BusyboxName)
		start(t, d, testbed.Container{Image: derived.Name, Mounts: mounts})
	})
	t.Run("directory", func(t *testing.T) {
		configure(t, d, sockets)
		pinImages(t, d, testbed.BusyboxName)
		refused(t, d, testbed.Container{Rootfs: plainRootfs(t), Mounts: mounts}, "its content cannot be proven: containerd has no snapshot of it")
	})
	t.Run("view", func(t *testing.T) {
		configure(t, d, sockets)
		pinImages(t, d, testbed.BusyboxName)
		there := []specs.Mount{testbed.Bind(docker.socket, "/etc/file")} // no place can be made
		start(t, d, testbed.Container{View: true, ReadOnly: true, Mounts: there})
	})
}

// The client's record names a good image and a snapshot of it, and the request
// something else.
func TestP07_RootfsThatIsNotTheRecords(t *testing.T) {
	d, docker := bed(t), newFakeDocker(t)
	configure(t, d, fmt.Sprintf("[sockets]\nengines = [%q]\nimages = [%q]\n", docker.socket, testbed.BusyboxName))
	pinImages(t, d, testbed.BusyboxName)
	ctx := d.Context(deadline(t))
	c := testbed.Container{ID: d.UniqueID("liar"), Runtime: runtimeName, Mounts: []specs.Mount{testbed.Bind(docker.socket, "/docker.sock")}}
	made, err := d.Define(ctx, c)
	must(t, err)
	t.Cleanup(func() { must(t, made.Delete(d.Context(deadline(t)))) })

	snapshots := d.Client().SnapshotService("overlayfs")
	other, err := d.Client().GetImage(ctx, testbed.Layers100Name)
	must(t, err)
	must(t, other.Unpack(ctx, "overlayfs"))
	layers, err := other.RootFS(ctx)
	must(t, err)
	// Nothing refers to the snapshots, and containerd would collect them.
	root := map[string]string{"containerd.io/gc.root": "test"}
	mounts, err := snapshots.Prepare(ctx, c.ID+"-other", identity.ChainID(layers).String(), snapshotter.WithLabels(root))
	must(t, err)
	_, err = snapshots.Update(ctx, snapshotter.Info{Name: c.ID, Labels: root}, "labels.containerd.io/gc.root")
	must(t, err)
	t.Cleanup(func() {
		for _, key := range []string{c.ID, c.ID + "-other"} {
			must(t, snapshots.Remove(d.Context(deadline(t)), key))
		}
	})

	// Without a key in the record the client sends no mounts but those it is told.
	must(t, made.Update(ctx, func(_ context.Context, _ *client.Client, r *containers.Container) error {
		r.SnapshotKey = ""
		return nil
	}))
	_, err = made.NewTask(ctx, cio.NullIO, client.WithRootFS(mounts))
	if err == nil {
		t.Fatal("the container was created")
	}
	checkRefusal(t, d, err, "its content cannot be proven: the root file system of the request is not the engine's snapshot of the container")
}

// derivedImage is the image of the tests with one layer more.
func derivedImage(t *testing.T, name string) testbed.Image {
	t.Helper()
	built, err := buildImages()
	must(t, err)
	layer, err := testbed.Layer(testbed.File{Path: "derived", Mode: 0o644})
	must(t, err)
	return testbed.Image{Name: name, Layers: append(slices.Clone(built[0].Layers), layer), Config: built[0].Config}
}

// tag moves a name to what another one leads to, for the rest of the test.
func tag(t *testing.T, d *testbed.Daemon, from, to string) {
	t.Helper()
	ctx, store := d.Context(deadline(t)), d.Client().ImageService()
	image, err := store.Get(ctx, from)
	must(t, err)
	image.Name = to
	if _, err = store.Update(ctx, image, "target"); errdefs.IsNotFound(err) {
		_, err = store.Create(ctx, image)
	}
	must(t, err)
	t.Cleanup(func() { removeImage(t, d, to) })
}

func removeImage(t *testing.T, d *testbed.Daemon, name string) {
	t.Helper()
	if err := d.Client().ImageService().Delete(d.Context(deadline(t)), name); err != nil && !errdefs.IsNotFound(err) {
		t.Error(err)
	}
}
