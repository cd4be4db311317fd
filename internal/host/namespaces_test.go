package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

// process starts a process that sleeps, in new namespaces; a program may come first.
// With a user namespace, base is where its mapping begins.
func process(t *testing.T, flags uintptr, base int, args ...string) int {
	t.Helper()
	args = append(args, "sleep", "1000")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if flags&unix.CLONE_NEWUSER != 0 {
		m := []syscall.SysProcIDMap{{HostID: base, Size: 65536}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = m, m
		cmd.SysProcAttr.Credential = &syscall.Credential{NoSetGroups: true}
	}
	must(t, cmd.Start())
	end := sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(end)
	ends[cmd.Process.Pid] = end
	awaitSleep(t, cmd.Process.Pid)
	return cmd.Process.Pid
}

// ends are how processes are ended.
var ends = map[int]func(){}

// awaitSleep waits until what was started first has become sleep.
func awaitSleep(t *testing.T, pid int) {
	t.Helper()
	for {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		must(t, err)
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		must(t, err)
		switch {
		case string(comm) == "sleep\n":
			return
		case strings.Contains(string(stat), ") Z "):
			t.Fatalf("%s", stat)
		}
		runtime.Gosched()
	}
}

// madeBy is a process in a user namespace that another user than root has made.
func madeBy(t *testing.T, uid, base int) int {
	t.Helper()
	pid := process(t, 0, 0, "setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", uid), "--clear-groups", "unshare", "-U")
	for _, name := range []string{"uid_map", "gid_map"} {
		must(t, os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, name), fmt.Appendf(nil, "0 %d 65536", base), 0))
	}
	return pid
}

// claims is a pool, and bundle adds a container to it.
type claims struct {
	idmap.Pool
	dir string
}

func newClaims(t *testing.T) claims {
	dir := linuxtest.Dir(t)
	return claims{idmap.Pool{Dir: filepath.Join(dir, "ranges"), First: 700000, Last: 1000000, Size: 65536}, dir}
}

func (c claims) bundle(t *testing.T, name string, pid int) string {
	t.Helper()
	bundle := dir(t, filepath.Join(c.dir, name))
	if _, err := c.Claim(bundle); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(bundle, initFile), []byte(strconv.Itoa(pid)), 0o600))
	must(t, os.WriteFile(filepath.Join(bundle, specFile), []byte(`{"annotations":{"io.kubernetes.cri.sandbox-id":"pod of `+name+`"}}`), 0o600))
	user, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	must(t, err)
	must(t, os.Symlink(user, filepath.Join(bundle, UserNSLink)))
	return bundle
}

// pinned keeps a namespace whose processes end.
func pinned(t *testing.T, pid int, entry string) string {
	t.Helper()
	at := file(t, filepath.Join(linuxtest.Dir(t), "ns"))
	bind(t, fmt.Sprintf("/proc/%d/ns/%s", pid, entry), at)
	return at
}

func joining(v *View, pool idmap.Pool, path string) Joining {
	return Joining{View: v, Claims: pool, Locks: pool.Dir + ".locks", Namespaces: []specs.LinuxNamespace{{Type: "pid"}, {Type: "network", Path: path}}}
}

// judge opens one namespace and gives what is known of it, without the inode.
func judge(t *testing.T, v *View, pool idmap.Pool, path string) policy.Namespace {
	t.Helper()
	facts, opened, err := OpenNamespaces(t.Context(), joining(v, pool, path))
	must(t, err)
	defer opened.Close()
	fact := facts[1]
	if fact.Type != "" && !fact.Host {
		sameFile(t, path, opened.Path(1))
	}
	if fact.UserNS != 0 {
		var st unix.Stat_t
		if err := unix.Stat(opened.UserNS(fact.UserNS), &st); err != nil || st.Ino != fact.UserNS {
			t.Errorf("the user namespace is opened as %d, %v; want %d", st.Ino, err, fact.UserNS)
		}
	}
	return fact
}

func sameFile(t *testing.T, a, b string) {
	t.Helper()
	first, err := os.Stat(a)
	must(t, err)
	second, err := os.Stat(b)
	must(t, err)
	if !os.SameFile(first, second) {
		t.Errorf("%s is opened as %s", a, b)
	}
}

func TestOpenNamespaces(t *testing.T) {
	v := here(t)
	linuxtest.NoLeak(t)
	pool := newClaims(t)
	const own = unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWPID
	users := func(base uint32) []specs.LinuxIDMapping {
		return []specs.LinuxIDMapping{{HostID: base, Size: 65536}}
	}

	ours := process(t, own, 700000)
	bundle := pool.bundle(t, "ours", ours)
	foreign := process(t, own, 2000000)
	empty := process(t, own, 2100000)
	users1, net1 := pinned(t, empty, "user"), pinned(t, empty, "net")
	ends[empty]()
	somebody := madeBy(t, 65534, 2300000)
	users2 := pinned(t, somebody, "user")
	ends[somebody]()
	itsRoot := madeBy(t, 2400000, 2400000)
	users4 := pinned(t, itsRoot, "user")
	ends[itsRoot]()
	visited := process(t, own, 2200000)
	users3, net3 := pinned(t, visited, "user"), pinned(t, visited, "net")
	ends[visited]()
	process(t, 0, 0, "nsenter", "--net="+net3)
	nested := process(t, own, 765536, "unshare", "-U", "-n")

	hostOwned := process(t, unix.CLONE_NEWNET, 0)
	unused := process(t, unix.CLONE_NEWNET, 0)
	unusedNet := pinned(t, unused, "net")
	ends[unused]()

	at := func(pid int, entry string) string { return fmt.Sprintf("/proc/%d/ns/%s", pid, entry) }
	for _, tc := range []struct {
		name, path string
		want       policy.Namespace
	}{
		{"the host's", "/proc/self/ns/net", policy.Namespace{Type: "network", Host: true, HostOwned: true}},
		{"the host's users", "/proc/self/ns/user", policy.Namespace{Type: "user", Host: true}},
		{"the host's mounts", "/proc/thread-self/ns/mnt", policy.Namespace{Type: "mount", Host: true, HostOwned: true}},
		{"a container's", at(ours, "net"), policy.Namespace{Type: "network", Container: bundle, UIDMappings: users(700000), GIDMappings: users(700000)}},
		{"a container's users", at(ours, "user"), policy.Namespace{Type: "user", Container: bundle, UIDMappings: users(700000), GIDMappings: users(700000)}},
		{"a container's pid namespace", at(ours, "pid_for_children"), policy.Namespace{Type: "pid", Container: bundle, UIDMappings: users(700000), GIDMappings: users(700000)}},
		{"another runtime's", at(foreign, "net"), policy.Namespace{Type: "network", Foreign: true}},
		{"nobody's users", users1, policy.Namespace{Type: "user", UIDMappings: users(2100000), GIDMappings: users(2100000)}},
		{"nobody's network", net1, policy.Namespace{Type: "network", UIDMappings: users(2100000), GIDMappings: users(2100000)}},
		{"users of a user of the host", users2, policy.Namespace{Type: "user", Foreign: true, UIDMappings: users(2300000), GIDMappings: users(2300000)}},
		{"users that their root has made", users4, policy.Namespace{Type: "user", UIDMappings: users(2400000), GIDMappings: users(2400000)}},
		{"nobody's network with a visitor", net3, policy.Namespace{Type: "network", Foreign: true}},
		{"nobody's users, of a network with a visitor", users3, policy.Namespace{Type: "user", UIDMappings: users(2200000), GIDMappings: users(2200000)}},
		{"made inside", at(nested, "net"), policy.Namespace{Type: "network", Nested: true}},
		{"made inside, users", at(nested, "user"), policy.Namespace{Type: "user", Nested: true}},
		{"of a process of the host", at(hostOwned, "net"), policy.Namespace{Type: "network", HostOwned: true, Foreign: true}},
		{"of a pod to be", unusedNet, policy.Namespace{Type: "network", HostOwned: true}},
		{"a file", "/etc/passwd", policy.Namespace{Why: "not a namespace"}},
		{"relative", "proc/self/ns/net", policy.Namespace{Why: "the path is not absolute"}},
		{"gone", "/proc/self/ns/gone", policy.Namespace{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := judge(t, v, pool.Pool, tc.path)
			if known := got.UserNS != 0; known != (tc.want.Type != "" && !tc.want.HostOwned && !tc.want.Host) {
				t.Errorf("user namespace %d", got.UserNS)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(policy.Namespace{}, "UserNS")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestBorrowedNetwork: in a network that the host owns live containers with one user
// namespace, or strangers.
func TestBorrowedNetwork(t *testing.T) {
	v := here(t)
	linuxtest.NoLeak(t)
	pool := newClaims(t)
	maker := process(t, unix.CLONE_NEWNET, 0)
	net := pinned(t, maker, "net")
	ends[maker]()
	enter := func(base int) (pid int) {
		must(t, linux.OnThread(func() error {
			ns, err := linux.FollowNS(net)
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := linux.EnterNetNS(ns); err != nil {
				return err
			}
			pid = process(t, unix.CLONE_NEWUSER, base)
			return nil
		}))
		return pid
	}
	first := enter(700000)
	bundle := pool.bundle(t, "first", first)
	users := []specs.LinuxIDMapping{{HostID: 700000, Size: 65536}}
	want := policy.Namespace{Type: "network", HostOwned: true, Container: bundle, Pod: "pod of first", UIDMappings: users, GIDMappings: users}
	check := func(want policy.Namespace) {
		t.Helper()
		got := judge(t, v, pool.Pool, net)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(policy.Namespace{}, "UserNS")); diff != "" || got.UserNS == 0 {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	check(want)
	second := enter(765536)
	pool.bundle(t, "second", second)
	got := judge(t, v, pool.Pool, net)
	if !got.Foreign {
		t.Errorf("two containers with different users: %+v", got)
	}
	ends[second]()
	check(want)
	stranger := process(t, 0, 0, "nsenter", "--net="+net)
	want.Foreign = true
	check(want)
	ends[stranger]()
	want.Foreign = false
	check(want)
}

// TestBorrowOneByOne: as long as one container is about to join a network that the host owns,
// another one waits, in the same process too, and no longer than it has to.
func TestBorrowOneByOne(t *testing.T) {
	v := here(t)
	linuxtest.NoLeak(t)
	pool := newClaims(t)
	pin := func() string {
		maker := process(t, unix.CLONE_NEWNET, 0)
		net := pinned(t, maker, "net")
		ends[maker]()
		return net
	}
	net, other := pin(), pin()
	_, first, err := OpenNamespaces(t.Context(), joining(v, pool.Pool, net))
	must(t, err)
	judge(t, v, pool.Pool, other) // does not wait

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := OpenNamespaces(ctx, joining(v, pool.Pool, net)); !errors.Is(err, context.Canceled) {
		t.Errorf("the network of another: %v", err)
	}
	onlyLooks := joining(v, pool.Pool, net)
	onlyLooks.Locks = ""
	_, looked, err := OpenNamespaces(ctx, onlyLooks)
	must(t, err)
	looked.Close()

	done := make(chan error, 1)
	go func() {
		_, second, err := OpenNamespaces(t.Context(), joining(v, pool.Pool, net))
		second.Close()
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("the second one did not wait: %v", err)
		done <- nil
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	must(t, <-done)
}

// TestStaleBundles: what a bundle says is not believed without a process.
func TestStaleBundles(t *testing.T) {
	v := here(t)
	linuxtest.NoLeak(t)
	pool := newClaims(t)
	const own = unix.CLONE_NEWUSER | unix.CLONE_NEWNET
	ours := process(t, own, 700000)
	bundle := pool.bundle(t, "ours", ours)
	foreign := process(t, own, 765536)
	path := fmt.Sprintf("/proc/%d/ns/net", foreign)
	for _, tc := range []struct {
		name   string
		change func()
	}{
		{"its number is another's", func() {
			must(t, os.WriteFile(filepath.Join(bundle, initFile), []byte(strconv.Itoa(foreign)), 0o600))
		}},
		{"its user namespace is another's", func() {
			must(t, os.WriteFile(filepath.Join(bundle, initFile), []byte(strconv.Itoa(ours)), 0o600))
			user, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", foreign))
			must(t, err)
			must(t, os.Remove(filepath.Join(bundle, UserNSLink)))
			must(t, os.Symlink(user, filepath.Join(bundle, UserNSLink)))
		}},
		{"there is no number", func() { must(t, os.Remove(filepath.Join(bundle, initFile))) }},
	} {
		tc.change()
		if got := judge(t, v, pool.Pool, path); got.Container != "" || !got.Foreign {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
	must(t, os.RemoveAll(bundle))
	if got := judge(t, v, pool.Pool, fmt.Sprintf("/proc/%d/ns/net", ours)); got.Container != "" || !got.Foreign {
		t.Errorf("without a bundle: %+v", got)
	}
}
