package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

func TestTask_PauseAndResume(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	ctx := d.Context(deadline(t))
	for _, step := range []struct {
		do   func(context.Context) error
		want client.ProcessStatus
	}{{task.Task.Pause, client.Paused}, {task.Task.Resume, client.Running}} {
		if err := step.do(ctx); err != nil {
			t.Fatal(err)
		}
		if status, err := task.Task.Status(ctx); err != nil || status.Status != step.want {
			t.Errorf("status %v, %v; want %v", status.Status, err, step.want)
		}
	}
	exec(t, task, "true")
	if err := task.Task.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	// A paused container can be deleted.
	if err := task.Delete(deadline(t)); err != nil {
		t.Error(err)
	}
	checkClean(t, d)
}

func TestTask_Kill(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Args: []string{"sh", "-c", "trap 'echo got usr1' USR1; trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"}})
	for _, step := range []struct {
		signal syscall.Signal
		await  string
	}{{0, "ready"}, {syscall.SIGUSR1, "got usr1"}} {
		if step.signal != 0 {
			if err := task.Kill(deadline(t), step.signal); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := task.Await(deadline(t), step.await); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
	}
	if err := task.Kill(deadline(t), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if result, err := task.Wait(deadline(t)); err != nil || result.Code != 5 {
		t.Errorf("%+v, %v", result, err)
	}
}

// limitFile returns the value of a container's limit, by its v1 or v2 name.
func limitFile(t *testing.T, d *testbed.Daemon, id string, names ...string) string {
	t.Helper()
	for _, dir := range testbed.CgroupDirs(d.Cgroup() + "/" + id) {
		for _, name := range names {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				return strings.TrimSpace(string(data))
			}
		}
	}
	t.Fatalf("no %v for %s", names, id)
	return ""
}

func TestTask_LimitsAndUpdate(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Spec: func(s *specs.Spec) {
		s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}
		s.Linux.Resources.Pids = &specs.LinuxPids{Limit: ptr(int64(50))}
	}})
	check := func(memory, pids string) {
		t.Helper()
		wantText(t, "memory limit", limitFile(t, d, task.ID, "memory.max", "memory.limit_in_bytes"), memory)
		wantText(t, "process limit", limitFile(t, d, task.ID, "pids.max"), pids)
	}
	check(fmt.Sprint(64<<20), "50")
	err := task.Task.Update(d.Context(deadline(t)), client.WithResources(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr(int64(96 << 20))}, Pids: &specs.LinuxPids{Limit: ptr(int64(70))},
	}))
	if err != nil {
		t.Fatal(err)
	}
	check(fmt.Sprint(96<<20), "70")
}

func TestTask_Metrics(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	metric, err := task.Task.Metrics(d.Context(deadline(t)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(metric.Data.GetTypeUrl(), "io.containerd.cgroups.v") || len(metric.Data.GetValue()) == 0 {
		t.Errorf("metrics: %v", metric)
	}
	pids, err := task.Task.Pids(d.Context(deadline(t)))
	if err != nil || len(pids) != 1 || int(pids[0].Pid) != task.Pid() {
		t.Errorf("processes: %v, %v", pids, err)
	}
}

// collect returns the topics of a container's events, in order, until all of the
// last ones have come.
func collect(t *testing.T, d *testbed.Daemon, id string, do func(), last ...string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(d.Context(deadline(t)))
	defer cancel()
	envelopes, errs := d.Client().Subscribe(ctx, `topic~="/tasks/"`)
	do()
	var topics []string
	for {
		select {
		case e := <-envelopes:
			if containerOf(t, e) != id {
				continue
			}
			topics = append(topics, e.Topic)
			if i := slices.Index(last, e.Topic); i >= 0 {
				last = slices.Delete(last, i, i+1)
			}
			if len(last) == 0 {
				return topics
			}
		case err := <-errs:
			t.Fatalf("events after %v: %v", topics, err)
		}
	}
}

func containerOf(t *testing.T, e *events.Envelope) string {
	t.Helper()
	event, err := typeurl.UnmarshalAny(e.Event)
	if err != nil {
		t.Fatal(err)
	}
	if exit, ok := event.(*eventtypes.TaskExit); ok && exit.ID != exit.ContainerID {
		return exit.ContainerID
	}
	if c, ok := event.(interface{ GetContainerID() string }); ok {
		return c.GetContainerID()
	}
	return ""
}

func TestTask_Events(t *testing.T) {
	d := bed(t)
	id := d.UniqueID("events")
	topics := collect(t, d, id, func() {
		task, err := d.Start(deadline(t), withRuntime(testbed.Container{ID: id, Args: []string{"sleep", "100000"}}))
		if err != nil {
			t.Fatal(err)
		}
		exec(t, task, "true")
		for _, do := range []func(context.Context) error{task.Task.Pause, task.Task.Resume} {
			if err := do(d.Context(deadline(t))); err != nil {
				t.Fatal(err)
			}
		}
		if err := task.Kill(deadline(t), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := task.Wait(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if err := task.Delete(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}, "/tasks/exit", "/tasks/exit", "/tasks/delete")
	// The embedded service answers Wait before it publishes the exit, so that the
	// last two may change places.
	slices.Sort(topics[len(topics)-2:])
	want := "/tasks/create /tasks/start /tasks/exec-added /tasks/exec-started /tasks/exit /tasks/paused /tasks/resumed /tasks/delete /tasks/exit"
	wantText(t, "events", strings.Join(topics, " "), want)
}

func TestTask_OOMEvent(t *testing.T) {
	d := bed(t)
	id := d.UniqueID("oom")
	collect(t, d, id, func() {
		result := runAny(t, d, testbed.Container{ID: id, Args: []string{"tail", "/dev/zero"}, Spec: func(s *specs.Spec) {
			s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: ptr(int64(16 << 20))}
		}})
		if result.Code != 137 {
			t.Errorf("a process without memory ended with status %d", result.Code)
		}
	}, "/tasks/oom")
}

// A cgroup that is mounted belongs to the container, its limits do not.
func TestTask_CgroupIsDelegated(t *testing.T) {
	d := bed(t)
	for _, mode := range []string{"rw", "ro"} {
		t.Run(mode, func(t *testing.T) {
			report := attempts(t, run(t, d, testbed.Container{
				Args:   []string{"/probe", "cgroup"},
				Mounts: []specs.Mount{{Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", mode}}},
				Spec:   func(s *specs.Spec) { s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: ptr(int64(256 << 20))} },
			}))
			delegated, limits := 0, 0
			for _, a := range report {
				switch kind, _, _ := strings.Cut(a.Name, "/"); {
				case kind == "delegate":
					delegated++
					if !a.Effect {
						t.Errorf("%s: %s", a.Name, a.Errno)
					}
				case a.Effect:
					t.Errorf("%s could be written", a.Name)
				default:
					limits++
				}
			}
			if delegated == 0 || limits == 0 {
				t.Errorf("%d hierarchies and %d limits were tried", delegated, limits)
			}
			checkClean(t, d)
		})
	}
}

func TestTask_CheckpointIsRefused(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	_, err := task.Task.Checkpoint(d.Context(deadline(t)))
	if err == nil || !strings.Contains(err.Error(), "checkpoint") {
		t.Errorf("checkpoint: %v", err)
	}
	exec(t, task, "true")
}

// A task that ended by itself can be deleted much later, and its status is kept.
func TestTask_StatusIsKept(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{Args: []string{"sh", "-c", "exit 9"}})
	if _, err := task.Wait(deadline(t)); err != nil {
		t.Fatal(err)
	}
	status, err := task.Task.Status(d.Context(deadline(t)))
	if err != nil || status.Status != client.Stopped || status.ExitStatus != 9 || time.Since(status.ExitTime) > patience {
		t.Errorf("%+v, %v", status, err)
	}
}
