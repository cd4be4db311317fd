package integration

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// TestP22_CreateStartDelete leaves containers in every state and deletes them.
func TestP22_CreateStartDelete(t *testing.T) {
	d := bed(t)
	volume := ext4Volume(t)
	shape := testbed.Container{
		Args: []string{"sh", "-c", "mount -t tmpfs t /tmp; sleep 100000 & sleep 100000"}, CapAdd: []string{"CAP_SYS_ADMIN"},
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt"), testbed.Bind(volume, "/dev/shm/vol"), testbed.Bind(volume, "/run/vol", "ro")},
	}
	for _, c := range []struct {
		name string
		do   func(*testing.T, *testbed.Task) error
	}{
		{"created", func(*testing.T, *testbed.Task) error { return nil }},
		{"running", func(t *testing.T, task *testbed.Task) error { return task.Start(deadline(t)) }},
		{"running, with an exec", func(t *testing.T, task *testbed.Task) error {
			if err := task.Start(deadline(t)); err != nil {
				return err
			}
			p, _, err := task.NewExec(deadline(t), nil, func(p *specs.Process) { p.Args = []string{"sleep", "100000"} })
			if err != nil {
				return err
			}
			return p.Start(d.Context(deadline(t)))
		}},
		{"ended", func(t *testing.T, task *testbed.Task) error {
			if err := task.Start(deadline(t)); err != nil {
				return err
			}
			if err := task.Kill(deadline(t), unix.SIGKILL); err != nil {
				return err
			}
			_, err := task.Wait(deadline(t))
			return err
		}},
		{"killed behind containerd's back", func(t *testing.T, task *testbed.Task) error {
			if err := task.Start(deadline(t)); err != nil {
				return err
			}
			if err := testbed.Kill9(task.Pid()); err != nil {
				return err
			}
			_, err := task.Wait(deadline(t))
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			task, err := d.Create(deadline(t), withRuntime(shape))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.do(t, task); err != nil {
				t.Error(err)
			}
			if err := task.Delete(deadline(t)); err != nil {
				t.Error(err)
			}
			checkClean(t, d)
		})
	}
}

// Cgroups that the container made below its own go with it.
func TestP22_InnerCgroups(t *testing.T) {
	d := bed(t)
	run(t, d, testbed.Container{
		Args: []string{"sh", "-c", "for c in /sys/fs/cgroup /sys/fs/cgroup/*; do test -w $c/cgroup.procs && mkdir -p $c/a/b/c $c/d; done; find /sys/fs/cgroup -name b | grep -q ."},
		Mounts: []specs.Mount{{
			Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "rw"},
		}},
	})
	checkClean(t, d)
}

// Ten containers at once get ten ranges, and leave nothing.
func TestP22_TenAtOnce(t *testing.T) {
	d := bed(t)
	type outcome struct {
		mapping string
		err     error
	}
	outcomes := make(chan outcome, 10)
	started := make(chan struct{}, 10)
	proceed := make(chan struct{})
	for range cap(outcomes) {
		go func() {
			task, err := d.Start(deadline(t), withRuntime(testbed.Container{Args: []string{"sleep", "100000"}}))
			started <- struct{}{}
			if err != nil {
				outcomes <- outcome{err: err}
				return
			}
			<-proceed // all of them live now
			result, err := task.Exec(deadline(t), "cat", "/proc/self/uid_map")
			outcomes <- outcome{result.Stdout, errors.Join(err, task.Delete(deadline(t)))}
		}()
	}
	for range cap(outcomes) {
		<-started
	}
	close(proceed)
	var mappings []string
	for range cap(outcomes) {
		o := <-outcomes
		if o.err != nil {
			t.Error(o.err)
		}
		mappings = append(mappings, o.mapping)
	}
	slices.Sort(mappings)
	if got := slices.Compact(mappings); len(got) != cap(outcomes) {
		t.Errorf("only %d different mappings: %q", len(got), got)
	}
	checkClean(t, d)
}

// TestP22_TwoHundredCycles is the figure of `make bench` as a test: 0 mounts,
// claims, cgroups, sockets, processes and descriptors are left.
func TestP22_TwoHundredCycles(t *testing.T) {
	d := bed(t)
	volume := t.TempDir()
	cycle := func() {
		run(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")}})
	}
	for range 10 { // containerd opens some descriptors on first use
		cycle()
	}
	checkClean(t, d)
	before := descriptors(t, d)
	mounts := hostMounts(t, volume)
	for range 190 {
		cycle()
	}
	checkClean(t, d)
	if diff := cmp.Diff(mounts, hostMounts(t, volume)); diff != "" {
		t.Errorf("mounts of the host (-before +after):\n%s", diff)
	}
	// Descriptors of finished connections are closed by the garbage collector of
	// containerd at the latest.
	var after int
	for ctx, cancel := context.WithTimeout(deadline(t), 30*time.Second); ; {
		if after = descriptors(t, d); after <= before || ctx.Err() != nil {
			cancel()
			break
		}
	}
	if after > before {
		t.Errorf("containerd has %d descriptors, %d before", after, before)
	}
}

// hostMounts are the mounts of the host that a container could have left: overlays,
// tmpfs and binds of its volume. Other things of the host come and go.
func hostMounts(t *testing.T, volume string) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var mounts []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, " - overlay ") || strings.Contains(line, " - tmpfs eci ") || strings.Contains(line, volume) {
			mounts = append(mounts, line)
		}
	}
	return mounts
}

func descriptors(t *testing.T, d *testbed.Daemon) int {
	t.Helper()
	n, err := d.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Nothing of a deleted container is known to containerd.
func TestP22_DeletedIsUnknown(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	if err := task.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Client().LoadContainer(d.Context(deadline(t)), task.ID); !errdefs.IsNotFound(err) {
		t.Errorf("the record of a deleted container: %v", err)
	}
}
