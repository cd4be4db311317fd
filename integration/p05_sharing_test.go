package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// nsOf is the path of a namespace of a container's first process.
func nsOf(task *testbed.Task, kind specs.LinuxNamespaceType) string {
	return fmt.Sprintf("/proc/%d/ns/%s", task.Pid(), procNames[kind])
}

// of gives the paths of several namespaces of a container.
func of(task *testbed.Task, kinds ...specs.LinuxNamespaceType) map[specs.LinuxNamespaceType]string {
	paths := map[specs.LinuxNamespaceType]string{}
	for _, kind := range kinds {
		paths[kind] = nsOf(task, kind)
	}
	return paths
}

// inode is what identifies a namespace, as in "net:[4026531833]".
func inode(t *testing.T, task *testbed.Task, kind specs.LinuxNamespaceType) string {
	t.Helper()
	text, err := os.Readlink(nsOf(task, kind))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// wantShared asserts which namespaces of two containers are one. The user namespace is
// in any case.
func wantShared(t *testing.T, a, b *testbed.Task, kinds ...specs.LinuxNamespaceType) {
	t.Helper()
	for kind := range procNames {
		shared := kind == specs.UserNamespace || slices.Contains(kinds, kind)
		first, second := inode(t, a, kind), inode(t, b, kind)
		if (first == second) != shared {
			t.Errorf("%s namespace: %s and %s, shared: %t", kind, first, second, shared)
		}
	}
}

// wantClaims asserts how many links there are, and of how many ranges. After a crash,
// containerd has them released a moment later.
func wantClaims(t *testing.T, d *testbed.Daemon, links, ranges int) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		claims, seen := d.Claims(), map[string]bool{}
		for _, claim := range claims {
			name, _, _ := strings.Cut(claim, ".")
			seen[name] = true
		}
		if len(claims) == links && len(seen) == ranges {
			return
		}
		if time.Now().After(until) {
			t.Errorf("claims %v: want %d of %d ranges", claims, links, ranges)
			return
		}
	}
}

// TestP05_JoinedNamespaces: whatever is joined, the user namespace is too, and the range.
func TestP05_JoinedNamespaces(t *testing.T) {
	d := bed(t)
	for _, kinds := range [][]specs.LinuxNamespaceType{
		{"network"},
		{"pid"},
		{"ipc"},
		{"uts"},
		{"cgroup"},
		{"time"},
		{"user"},
		{"pid", "network", "ipc", "uts", "cgroup", "time", "user"},
	} {
		t.Run(fmt.Sprint(kinds), func(t *testing.T) {
			first := start(t, d, testbed.Container{})
			second := start(t, d, testbed.Container{Spec: joining(of(first, kinds...))})
			wantShared(t, first, second, kinds...)
			wantText(t, "mapping", mapping(t, second), mapping(t, first))
			wantClaims(t, d, 2, 1)
			// A process that is added later is in the same place.
			wantText(t, "namespace of exec", exec(t, second, "readlink", "/proc/self/ns/user"), inode(t, first, "user"))
			// So are files: root of one is root of the other, and the rootfs is right.
			wantText(t, "owners", exec(t, second, "sh", "-c", "touch /new; stat -c %u:%g /new /own/1000 | tr '\\n' ' '"), "0:0 1000:1000")
		})
	}
}

// TestP05_JoiningOpensNothing: who joins has no more rights over its mounts than before,
// and who is joined has none over them.
func TestP05_JoiningOpensNothing(t *testing.T) {
	d := bed(t)
	volume := t.TempDir()
	mighty := []string{"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_NET_ADMIN"}
	first := start(t, d, testbed.Container{CapAdd: mighty})
	second := start(t, d, testbed.Container{
		CapAdd: mighty, Spec: joining(of(first, "pid", "network")),
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", "ro")},
	})
	const remount = "mount -o remount,rw,bind /mnt || mount -o remount,rw /mnt || umount /mnt"
	fails(t, second, remount)
	// By its number, the first one sees the second one's first process.
	inside := strings.Fields(exec(t, first, "sh", "-c", "cd /proc; for p in [0-9]*; do [ $p != 1 ] && grep -qx sleep $p/comm && echo $p; done; true"))
	if len(inside) != 1 {
		t.Fatalf("processes of the second container in the first: %v", inside)
	}
	exec(t, first, "nsenter", "-t", inside[0], "-m", "true")
	fails(t, first, "nsenter -t "+inside[0]+" -m sh -c '"+remount+"'")
}

// TestP05_SharedProcessesEndWithTheirContainer: in a pid namespace that is another's, the
// kernel ends nobody when the first process does.
func TestP05_SharedProcessesEndWithTheirContainer(t *testing.T) {
	d := bed(t)
	first := start(t, d, testbed.Container{})
	second := start(t, d, testbed.Container{
		Spec: joining(of(first, "pid")),
		Args: []string{"sh", "-c", "setsid sleep 200001 & echo begun; exec sleep 100000"},
	})
	if _, err := second.Await(deadline(t), "begun"); err != nil {
		t.Fatal(err)
	}
	if err := second.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
	left := exec(t, first, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
	if strings.Contains(left, "200001") {
		t.Errorf("in the first container there is still %q", left)
	}
}

// TestP05_CtrJoins: as a client writes it.
func TestP05_CtrJoins(t *testing.T) {
	d := bed(t)
	first := start(t, d, testbed.Container{})
	id := d.UniqueID("join")
	args := append(d.RunArgs(runtimeName, id), "--rm", "--with-ns", "network:"+nsOf(first, "network"), "--with-ns", "pid:"+nsOf(first, "pid"),
		testbed.BusyboxName, id, "sh", "-c", "for n in net pid user; do readlink /proc/self/ns/$n; done; kill -0 1 && echo signals")
	stdout, stderr, err := d.Ctr(deadline(t), args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	want := strings.Join([]string{inode(t, first, "network"), inode(t, first, "pid"), inode(t, first, "user"), "signals"}, "\n")
	wantText(t, "namespaces", stdout, want)
	wantClaims(t, d, 1, 1)
}

// TestP05_RangeOutlivesItsFirstOwner: it is free when all who share it are gone.
func TestP05_RangeOutlivesItsFirstOwner(t *testing.T) {
	for _, firstGoesFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("first goes first %t", firstGoesFirst), func(t *testing.T) {
			d := freshBed(t, testbed.Options{})
			ranges := freeRanges(t, 2)
			first := start(t, d, testbed.Container{})
			second := start(t, d, testbed.Container{Spec: joining(of(first, "network", "ipc"))})
			gone, left := first, second
			if !firstGoesFirst {
				gone, left = second, first
			}
			if err := gone.Delete(deadline(t)); err != nil {
				t.Fatal(err)
			}
			wantClaims(t, d, 1, 1)
			other := start(t, d, testbed.Container{})
			wantText(t, "another container", mapping(t, other), ranges[1])
			// One more can join whoever is left.
			third := start(t, d, testbed.Container{Spec: joining(of(left, "network"))})
			wantShared(t, left, third, "network")
			wantText(t, "third", mapping(t, third), ranges[0])
			for _, task := range []*testbed.Task{left, third} {
				if err := task.Delete(deadline(t)); err != nil {
					t.Fatal(err)
				}
			}
			wantText(t, "when all are gone", mapping(t, start(t, d, testbed.Container{})), ranges[0])
		})
	}
}

// TestP05_KilledShim: what a shim held is released by a fresh process, and what another
// container shares with it stays.
func TestP05_KilledShim(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	ranges := freeRanges(t, 2)
	first := start(t, d, testbed.Container{})
	second := start(t, d, testbed.Container{Spec: joining(of(first, "network", "uts"))})
	wantClaims(t, d, 2, 1)
	killShims(t, d, first.ID)
	deleteByID(t, d, first.ID)
	wantClaims(t, d, 1, 1)
	wantText(t, "who is left", mapping(t, second), ranges[0])
	wantText(t, "another container", mapping(t, start(t, d, testbed.Container{})), ranges[1])
	killShims(t, d, second.ID)
	deleteByID(t, d, second.ID)
	wantClaims(t, d, 1, 1)
	wantText(t, "when both are gone", mapping(t, start(t, d, testbed.Container{})), ranges[0])
}

// TestP05_OtherContainersAreRefused: those of another runtime, of two containers at once,
// and namespaces that were made inside.
func TestP05_OtherContainersAreRefused(t *testing.T) {
	d := bed(t)
	own := []specs.LinuxIDMapping{{HostID: 20 << 20, Size: rangeSize}}
	plain := start(t, d, testbed.Container{Runtime: "runc"})
	mapped := start(t, d, testbed.Container{Runtime: "runc", Rootfs: openRootfs(t), Spec: withMapping(own, own)})
	ours, another := start(t, d, testbed.Container{}), start(t, d, testbed.Container{})
	const otherRuntime = "used by a container of another runtime"
	const hostUsers = "belongs to the host's user namespace"
	for _, c := range []struct {
		name string
		spec func(*specs.Spec)
		want string
	}{
		{"network of runc", joining(of(plain, "network")), otherRuntime},
		{"pid of runc", joining(of(plain, "pid")), hostUsers},
		{"ipc of runc", joining(of(plain, "ipc")), hostUsers},
		{"uts of runc", joining(of(plain, "uts")), hostUsers},
		{"time of runc", joining(map[specs.LinuxNamespaceType]string{"time": nsOf(plain, "ipc")}), "not time"},
		{"mount of runc", joining(of(plain, "mount")), "every container has one of its own"},
		{"network of runc with users", joining(of(mapped, "network")), otherRuntime},
		{"pid of runc with users", joining(of(mapped, "pid")), otherRuntime},
		{"users of runc", joining(of(mapped, "user")), otherRuntime},
		{"users of runc with their mapping", func(s *specs.Spec) {
			s.Linux.UIDMappings, s.Linux.GIDMappings = own, own
			joining(of(mapped, "user", "network"))(s)
		}, otherRuntime},
		{"mount of ours", joining(of(ours, "mount")), "every container has one of its own"},
		{"two of ours", joining(map[specs.LinuxNamespaceType]string{"network": nsOf(ours, "network"), "ipc": nsOf(another, "ipc")}), "belong to different containers"},
		{"ours, with users of another", joining(map[specs.LinuxNamespaceType]string{"network": nsOf(ours, "network"), "user": nsOf(another, "user")}), "belong to different containers"},
		{"ours, with another mapping", func(s *specs.Spec) {
			s.Linux.UIDMappings, s.Linux.GIDMappings = own, own
			joining(of(ours, "network"))(s)
		}, "is not that of the user namespace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refusedCreate(t, d, testbed.Container{Spec: c.spec}, "error in the container spec: ", c.want)
		})
	}
	wantClaims(t, d, 2, 2)
}

// openRootfs is a root file system that every user can search, as one needs whose
// owner is not mapped.
func openRootfs(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "eci-rootfs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	images, err := buildImages()
	if err != nil {
		t.Fatal(err)
	}
	if err := images[0].Extract(deadline(t), dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestP05_NamespacesMadeInsideAreRefused: a container that may make user namespaces gives
// nobody a way into them.
func TestP05_NamespacesMadeInsideAreRefused(t *testing.T) {
	d := bed(t)
	outer := start(t, d, testbed.Container{Privileged: true, Args: []string{"unshare", "-U", "-n", "sh", "-c", "echo made; exec sleep 100000"}})
	if _, err := outer.Await(deadline(t), "made"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []specs.LinuxNamespaceType{"network", "user"} {
		refusedCreate(t, d, testbed.Container{Spec: joining(of(outer, kind))}, "was made inside a container")
	}
}
