package integration

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// killMoments are when the shim is killed: each starts something with a container
// and returns once the moment has come. What becomes of it is not asserted, only
// what is left.
var killMoments = []struct {
	name string
	do   func(*testing.T, *testbed.Daemon, testbed.Container)
}{
	{"created", func(t *testing.T, d *testbed.Daemon, c testbed.Container) {
		if _, err := d.Create(deadline(t), c); err != nil {
			t.Fatal(err)
		}
	}},
	{"running", func(t *testing.T, d *testbed.Daemon, c testbed.Container) {
		if _, err := d.Start(deadline(t), c); err != nil {
			t.Fatal(err)
		}
	}},
	{"with an exec", func(t *testing.T, d *testbed.Daemon, c testbed.Container) {
		task, err := d.Start(deadline(t), c)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := task.NewExec(deadline(t), nil, func(p *specs.Process) { p.Args = []string{"sleep", "100000"} })
		if err == nil {
			err = p.Start(d.Context(deadline(t)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}},
	{"paused", func(t *testing.T, d *testbed.Daemon, c testbed.Container) {
		task, err := d.Start(deadline(t), c)
		if err == nil {
			err = task.Task.Pause(d.Context(deadline(t)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}},
	{"ended", func(t *testing.T, d *testbed.Daemon, c testbed.Container) {
		c.Args = []string{"true"}
		task, err := d.Start(deadline(t), c)
		if err == nil {
			_, err = task.Wait(deadline(t))
		}
		if err != nil {
			t.Fatal(err)
		}
	}},
}

func TestP22_KillingTheShim(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	volume := ext4Volume(t)
	for _, moment := range killMoments {
		t.Run(moment.name, func(t *testing.T) {
			c := withRuntime(testbed.Container{
				ID: d.UniqueID("killed"), Args: []string{"sleep", "100000"},
				Mounts: []specs.Mount{testbed.Bind(volume, "/mnt"), testbed.Bind(volume, "/run/vol")},
			})
			moment.do(t, d, c)
			killShims(t, d, c.ID)
			deleteByID(t, d, c.ID)
			checkClean(t, d)
			run(t, d, testbed.Container{})
		})
	}
}

func killShims(t *testing.T, d *testbed.Daemon, id string) {
	t.Helper()
	shims, err := d.Shims(id)
	if err != nil {
		t.Fatal(err)
	}
	if len(shims) != 1 {
		t.Fatalf("shims of %s: %v", id, shims)
	}
	if err := testbed.Kill9(shims[0].Pid); err != nil {
		t.Fatal(err)
	}
}

// deleteByID deletes what containerd knows of a container, if anything.
func deleteByID(t *testing.T, d *testbed.Daemon, id string) {
	t.Helper()
	if err := d.Delete(deadline(t), id); err != nil {
		t.Errorf("delete after the shim was killed: %v", err)
	}
}

// workMoments are parts of a shim's work, each known by a sign on the host that
// appears (or, for the last, disappears) when it begins.
var workMoments = []struct {
	name string
	sign func(*testbed.Daemon, string) bool
}{
	{"the server appears", func(d *testbed.Daemon, id string) bool { return true }},
	{"a range is claimed", func(d *testbed.Daemon, id string) bool { return len(d.Claims()) > 0 }},
	{"runc create runs", func(d *testbed.Daemon, id string) bool { return running(d, "create", id) }},
	{"a cgroup is made", func(d *testbed.Daemon, id string) bool { return len(testbed.CgroupDirs(d.Cgroup()+"/"+id)) > 0 }},
	{"runc init runs", func(d *testbed.Daemon, id string) bool { return running(d, "init") }},
	{"runc has a state", func(d *testbed.Daemon, id string) bool { return exists(statePath(d, id)) }},
	{"runc start runs", func(d *testbed.Daemon, id string) bool { return running(d, "start", id) }},
	{"runc delete runs", func(d *testbed.Daemon, id string) bool { return running(d, "delete", id) }},
}

// running tells whether a process of the bed has all these arguments.
func running(d *testbed.Daemon, args ...string) bool {
	processes, err := d.Processes()
	return err == nil && slices.ContainsFunc(processes, func(p testbed.Process) bool { return isRunc(p, args...) })
}

// isRunc tells whether a process is a runc with all these arguments.
func isRunc(p testbed.Process, args ...string) bool {
	return len(p.Args) > 0 && filepath.Base(p.Args[0]) == "runc" &&
		!slices.ContainsFunc(args, func(arg string) bool { return !slices.Contains(p.Args, arg) })
}

func statePath(d *testbed.Daemon, id string) string {
	return filepath.Join(d.RuncRoot(), d.Namespace, id, "state.json")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// TestP22_KillingTheShimWhileItWorks kills it in the middle of create, start and
// delete.
func TestP22_KillingTheShimWhileItWorks(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	volume := ext4Volume(t)
	for _, moment := range workMoments {
		t.Run(moment.name, func(t *testing.T) {
			met := false
			for try := 0; try < 40 && !met; try++ { // a sign may be too short to be seen
				c := withRuntime(testbed.Container{
					ID: d.UniqueID("mid"), Args: []string{"true"},
					Mounts: []specs.Mount{testbed.Bind(volume, "/mnt"), testbed.Bind(volume, "/run/vol")},
				})
				met = killAt(t, d, c, moment.sign, nil)
				deleteByID(t, d, c.ID)
				// A server that dies before containerd has connected to it is
				// forgotten by containerd: its socket goes with a later start.
				run(t, d, testbed.Container{})
				for ctx := deadline(t); len(d.Leftovers(0)) > 0 && ctx.Err() == nil; {
					run(t, d, testbed.Container{})
				}
				checkClean(t, d)
			}
			if !met {
				t.Error("the moment was never met")
			}
		})
	}
}

// TestP22_KillingRunc kills what the shim delegates to, at its work. The client
// sees an error or not; deleting the container leaves nothing.
func TestP22_KillingRunc(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	volume := ext4Volume(t)
	for _, verb := range []string{"create", "init", "start", "delete"} {
		t.Run(verb, func(t *testing.T) {
			met := false
			for try := 0; try < 40 && !met; try++ {
				c := withRuntime(testbed.Container{
					ID: d.UniqueID("runc"), Args: []string{"true"},
					Mounts: []specs.Mount{testbed.Bind(volume, "/mnt"), testbed.Bind(volume, "/run/vol")},
				})
				met = killAt(t, d, c, func(*testbed.Daemon, string) bool { return true }, func(p testbed.Process) bool { return isRunc(p, verb) })
				deleteByID(t, d, c.ID)
				checkClean(t, d)
			}
			if !met {
				t.Error("the moment was never met")
			}
			run(t, d, testbed.Container{})
		})
	}
}

// killAt takes a container through its life. When the sign is seen, it kills the
// shim, or the first process of the bed that is a victim. It returns false if the
// life had ended by then.
func killAt(t *testing.T, d *testbed.Daemon, c testbed.Container, sign func(*testbed.Daemon, string) bool, victim func(testbed.Process) bool) bool {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		liveAndDie(deadline(t), d, c)
	}()
	pid := 0
	for {
		select {
		case <-done:
			return false
		default:
		}
		if pid == 0 {
			pid = find(t, d, c.ID, victim)
		}
		if pid != 0 && sign(d, c.ID) {
			if err := testbed.Kill9(pid); err != nil {
				t.Fatal(err)
			}
			<-done
			return true
		}
	}
}

// find returns the victim's process ID, that of the shim without one, 0 for none.
func find(t *testing.T, d *testbed.Daemon, id string, victim func(testbed.Process) bool) int {
	t.Helper()
	processes, err := d.Shims(id)
	if victim != nil {
		processes, err = d.Processes()
		processes = slices.DeleteFunc(processes, func(p testbed.Process) bool { return !victim(p) })
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(processes) == 0 {
		return 0
	}
	return processes[0].Pid
}

// liveAndDie goes as far as the runtime lets it.
func liveAndDie(ctx context.Context, d *testbed.Daemon, c testbed.Container) {
	task, err := d.Start(ctx, c)
	if err != nil {
		return
	}
	_, _ = task.Wait(ctx)
	_ = task.Delete(ctx)
}

// A shim that serves two containers takes both with it, and nothing stays.
func TestP22_KillingTheShimOfAGroup(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	group := func(s *specs.Spec) { s.Annotations = map[string]string{"io.containerd.runc.v2.group": "pair"} }
	first := start(t, d, testbed.Container{Spec: group})
	second := start(t, d, testbed.Container{Spec: group})
	killShims(t, d, first.ID)
	for _, id := range []string{first.ID, second.ID} {
		deleteByID(t, d, id)
	}
	checkClean(t, d)
	run(t, d, testbed.Container{Spec: group})
}
