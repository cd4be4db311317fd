package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"

	"github.com/eci-runtime/eci/integration/probe/attempt"
	"github.com/eci-runtime/eci/integration/testbed"
)

// runtimeName is what containers run with. ECI_TEST_RUNTIME=runc runs the tests
// under plain runc: the shapes must pass there too, which tells a wrong test from
// a wrong runtime, and the promises must fail.
var runtimeName = cmp.Or(os.Getenv("ECI_TEST_RUNTIME"), "eci")

// patience bounds what a test waits for; nothing waits longer than it must. On an emulated
// processor everything takes some fifty times as long.
var patience = func() time.Duration {
	if cpus, err := os.ReadFile("/proc/cpuinfo"); err == nil && strings.Contains(string(cpus), "QEMU TCG") {
		return 10 * time.Minute
	}
	return 2 * time.Minute
}()

var (
	buildImages = sync.OnceValues(func() ([]testbed.Image, error) {
		busybox, layers100, err := testbed.Images(context.Background())
		return []testbed.Image{busybox, layers100}, err
	})
	sharedBed = sync.OnceValues(func() (*testbed.Daemon, error) { return newBed(testbed.Options{}) })
	sharedUp  bool
)

func TestMain(m *testing.M) {
	code := m.Run()
	if sharedUp {
		bed, err := sharedBed()
		if err == nil {
			err = bed.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "the shared test bed:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// newBed starts a containerd with the images of the tests.
func newBed(opts testbed.Options) (*testbed.Daemon, error) {
	images, err := buildImages()
	if err != nil {
		return nil, err
	}
	d, err := testbed.Start(opts)
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		if err := d.Import(context.Background(), image); err != nil {
			return nil, fmt.Errorf("%w; %w", err, d.Close())
		}
	}
	if d.Programs.Eci == "" && runtimeName == "eci" {
		_ = d.Close()
		return nil, fmt.Errorf("containerd-shim-eci-v2 is not in %s: run `make build`", d.Programs.Dir)
	}
	return d, nil
}

// bed returns the containerd that tests share. Tests do not run in parallel, and
// each leaves it without containers.
func bed(t *testing.T) *testbed.Daemon {
	t.Helper()
	needRoot(t)
	sharedUp = true
	d, err := sharedBed()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// freshBed returns a containerd of the test's own.
func freshBed(t *testing.T, opts testbed.Options) *testbed.Daemon {
	t.Helper()
	needRoot(t)
	d, err := newBed(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of containerd's log:\n%s", lastLines(d.Log(), 40))
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers, mounts and cgroups are made (id -u is not 0)")
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// deadline is a context for one step of a test.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return ctx
}

// run runs a container to its end, which must be a good one.
func run(t *testing.T, d *testbed.Daemon, c testbed.Container) string {
	t.Helper()
	result := runAny(t, d, c)
	if result.Code != 0 {
		t.Fatalf("%q: exit status %d\nstdout: %s\nstderr: %s", c.Args, result.Code, result.Stdout, result.Stderr)
	}
	return result.Stdout
}

// runAny runs a container to whatever end.
func runAny(t *testing.T, d *testbed.Daemon, c testbed.Container) testbed.Result {
	t.Helper()
	result, err := d.Run(deadline(t), withRuntime(c))
	if err != nil {
		t.Fatalf("run %q: %v", c.Args, err)
	}
	return result
}

// start starts a container that lives until the test ends. Without arguments it
// sleeps.
func start(t *testing.T, d *testbed.Daemon, c testbed.Container) *testbed.Task {
	t.Helper()
	if c.Args == nil {
		c.Args = []string{"sleep", "100000"}
	}
	task, err := d.Start(deadline(t), withRuntime(c))
	if err != nil {
		t.Fatalf("start %q: %v", c.Args, err)
	}
	t.Cleanup(func() {
		if err := task.Delete(deadline(t)); err != nil {
			t.Error(err)
		}
	})
	return task
}

// exec runs one more process in a container, which must end well.
func exec(t *testing.T, task *testbed.Task, args ...string) string {
	t.Helper()
	result, err := task.Exec(deadline(t), args...)
	if err != nil {
		t.Fatalf("exec %q: %v", args, err)
	}
	if result.Code != 0 {
		t.Fatalf("exec %q: exit status %d\nstdout: %s\nstderr: %s", args, result.Code, result.Stdout, result.Stderr)
	}
	return result.Stdout
}

// refused asserts that a container cannot be created: the error is one line that
// contains every one of want, and nothing is left on the host.
func refused(t *testing.T, d *testbed.Daemon, c testbed.Container, want ...string) {
	t.Helper()
	refusedCreate(t, d, c, want...)
	checkClean(t, d)
}

// refusedCreate is refused for a bed in which another container lives.
func refusedCreate(t *testing.T, d *testbed.Daemon, c testbed.Container, want ...string) {
	t.Helper()
	task, err := d.Create(deadline(t), withRuntime(c))
	if err == nil {
		_ = task.Delete(deadline(t))
		t.Fatal("the container was created")
	}
	checkText(t, err, want...)
}

// checkRefusal is the second half of refused, for an error that is at hand.
func checkRefusal(t *testing.T, d *testbed.Daemon, err error, want ...string) {
	t.Helper()
	checkText(t, err, want...)
	checkClean(t, d)
}

// checkText asserts that an error is one line that contains every one of want.
func checkText(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error is\n  %v\nand lacks\n  %s", err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is more than one line:\n%v", err)
	}
}

// reported are leftovers that a test has failed for; later ones need not.
var reported []string

// checkClean asserts that nothing of any container is left.
func checkClean(t *testing.T, d *testbed.Daemon) {
	t.Helper()
	for _, line := range d.Leftovers(30*time.Second, reported...) {
		t.Errorf("left behind: %s", line)
		reported = append(reported, line)
	}
}

func withRuntime(c testbed.Container) testbed.Container {
	c.Runtime = cmp.Or(c.Runtime, runtimeName)
	return c
}

// decode reads a report of the probe.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var report T
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatalf("not a report of the probe: %v\n%s", err, text)
	}
	return report
}

func attempts(t *testing.T, text string) []attempt.Attempt { return decode[[]attempt.Attempt](t, text) }

// node is a file as the probe's stat reports it.
type node struct {
	Path, Errno, Type, Mode, Device, Link string
	UID, GID                              uint32
	Xattrs                                map[string]string
}

func (n node) String() string {
	return fmt.Sprintf("%s%s %d:%d %s", n.Type, n.Mode, n.UID, n.GID, n.Path)
}

func nodes(t *testing.T, text string) map[string]node {
	t.Helper()
	found := map[string]node{}
	for _, n := range decode[[]node](t, text) {
		found[n.Path] = n
	}
	return found
}

// wantText fails unless got, without space around it, is want.
func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != want {
		t.Errorf("%s: got %q, want %q", what, strings.TrimSpace(got), want)
	}
}

// killFirst lets a task be deleted while it runs.
var killFirst = client.WithProcessKill
