package integration

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// inNamespace does something in another namespace of the bed's containerd, with an image.
func inNamespace(t *testing.T, d *testbed.Daemon, namespace string, fn func()) {
	t.Helper()
	own := d.Namespace
	d.Namespace = namespace
	defer func() { d.Namespace = own }()
	images, err := buildImages()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Import(deadline(t), images[0]); err != nil {
		t.Fatal(err)
	}
	fn()
}

// TestP05_OtherContainerdNamespace: containerd's namespaces keep its clients apart. No
// namespace of a container leads from one to another.
func TestP05_OtherContainerdNamespace(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	victim := start(t, d, testbed.Container{})
	network := podNetwork(t)
	pod := start(t, d, testbed.Container{Spec: joining(map[specs.LinuxNamespaceType]string{"network": network})})
	const want = "belongs to a container of another containerd namespace (rule namespace-path"
	inNamespace(t, d, d.Namespace+"-b", func() {
		for _, kind := range []specs.LinuxNamespaceType{"pid", "network", "ipc", "uts", "cgroup", "time", "user"} {
			refusedCreate(t, d, testbed.Container{Spec: joining(of(victim, kind))}, want)
		}
		refusedCreate(t, d, testbed.Container{Spec: joining(of(pod, "network"))}, want)
		refusedCreate(t, d, testbed.Container{Spec: joining(map[specs.LinuxNamespaceType]string{"network": network})}, want)
		// Among themselves they share.
		first, err := d.Start(deadline(t), withRuntime(testbed.Container{Args: []string{"sleep", "100000"}}))
		if err != nil {
			t.Fatal(err)
		}
		second, err := d.Start(deadline(t), withRuntime(testbed.Container{Args: []string{"sleep", "100000"}, Spec: joining(of(first, "pid"))}))
		if err != nil {
			t.Error(err)
		} else if err := second.Delete(deadline(t)); err != nil {
			t.Error(err)
		}
		if err := first.Delete(deadline(t)); err != nil {
			t.Error(err)
		}
	})
	start(t, d, testbed.Container{Spec: joining(of(victim, "pid"))})
	wantClaims(t, d, 3, 2)
}

// startAll starts containers at once, and gives those that started and the errors of
// the others.
func startAll(t *testing.T, d *testbed.Daemon, containers ...testbed.Container) (tasks []*testbed.Task, errs []error) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, c := range containers {
		c.Args = []string{"sleep", "100000"}
		all.Go(func() {
			task, err := d.Start(deadline(t), withRuntime(c))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			} else {
				tasks = append(tasks, task)
			}
		})
	}
	all.Wait()
	return tasks, errs
}

// TestP05_StrangersAtOnce: two pods that join an empty network of the host's at the same
// time are judged one after the other, and one of them has it.
func TestP05_StrangersAtOnce(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	for round := range 5 {
		join := joining(map[specs.LinuxNamespaceType]string{"network": podNetwork(t)})
		var pods []testbed.Container
		for i := range 3 {
			pods = append(pods, testbed.Container{Spec: specOf(inPod(fmt.Sprintf("pod-%d-%d", round, i), "sandbox"), join)})
		}
		tasks, errs := startAll(t, d, pods...)
		if len(tasks) != 1 {
			t.Errorf("%d pods have one network", len(tasks))
		}
		for _, err := range errs {
			checkText(t, err, "is used by a container of another pod (rule namespace-path")
		}
		deleteAll(t, tasks)
	}
	wantUnlocked(t, d)
}

// TestP05_PodAtOnce: containers that are created at once share what they are to share, by
// one shim, which is there already, or by several.
func TestP05_PodAtOnce(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	start(t, d, testbed.Container{ID: "shim", Spec: inPod("pod", "sandbox")})
	for name, change := range map[string]func(*specs.Spec){"one shim": inPod("pod", "container"), "several": func(*specs.Spec) {}} {
		t.Run(name, func(t *testing.T) {
			join := joining(map[specs.LinuxNamespaceType]string{"network": podNetwork(t)})
			tasks, errs := startAll(t, d, slices.Repeat([]testbed.Container{{Spec: specOf(change, join)}}, 5)...)
			for _, err := range errs {
				t.Error(err)
			}
			for _, task := range tasks[1:] {
				wantShared(t, tasks[0], task, "network")
			}
			wantClaims(t, d, 1+5, 1+1)
			deleteAll(t, tasks)
		})
	}
	wantUnlocked(t, d)
}

// TestP05_OtherPodsNetwork: who is in a pod's network first, and is not of the pod, does not
// get the pod's containers into its user namespace; nor does it get into theirs.
func TestP05_OtherPodsNetwork(t *testing.T) {
	d := bed(t)
	const want = "is used by a container of another pod (rule namespace-path"
	group := func(name string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Annotations = map[string]string{"io.containerd.runc.v2.group": name} }
	}
	none := func(*specs.Spec) {}
	for _, c := range []struct {
		name      string
		squatter  func(*specs.Spec)
		strangers []func(*specs.Spec)
	}{
		{"of no pod", none, []func(*specs.Spec){inPod("pod", "sandbox"), group("pod")}},
		{"of a pod", inPod("pod", "sandbox"), []func(*specs.Spec){none, inPod("other", "sandbox"), group("other")}},
		{"of a group", group("pod"), []func(*specs.Spec){none, group("other")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			network := joining(map[specs.LinuxNamespaceType]string{"network": podNetwork(t)})
			first := start(t, d, testbed.Container{Spec: specOf(c.squatter, network)})
			for _, stranger := range c.strangers {
				refusedCreate(t, d, testbed.Container{Spec: specOf(stranger, network)}, want)
				refusedCreate(t, d, testbed.Container{Spec: specOf(stranger, joining(of(first, "network")))}, want)
			}
			wantShared(t, first, start(t, d, testbed.Container{Spec: specOf(c.squatter, network)}), "network")
		})
	}
}

func deleteAll(t *testing.T, tasks []*testbed.Task) {
	t.Helper()
	for _, task := range tasks {
		if err := task.Delete(deadline(t)); err != nil {
			t.Error(err)
		}
	}
}

// wantUnlocked asserts that nobody has a lock in the file of networks, and that it is the
// host's root's alone.
func wantUnlocked(t *testing.T, d *testbed.Daemon) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(d.StateDir(), "networks"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode != unix.S_IFREG|0o600 || st.Uid != 0 || st.Size != 0 {
		t.Errorf("mode %o, owner %d, %d bytes", st.Mode, st.Uid, st.Size)
	}
	locks := readFile(t, "/proc/locks")
	if inode := fmt.Sprintf(":%d ", st.Ino); strings.Contains(locks, inode) {
		t.Errorf("still locked:\n%s", locks)
	}
}
