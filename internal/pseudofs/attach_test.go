package pseudofs

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// TestCover looks at covered nodes as the container's root does.
func TestCover(t *testing.T) {
	f := serveFS(t, nil)
	c := newContainer(t)
	c.cover(f)
	if left := f.Skipped(); left != 0 {
		t.Errorf("%d nodes were left alone", left)
	}
	panic0, err := os.ReadFile("/proc/sys/kernel/panic")
	must(t, err)
	c.want("echo 10 >proc/sys/kernel/panic; cat proc/sys/kernel/panic", "10")
	c.want("echo 0x20 >>proc/sys/kernel/panic; cat proc/sys/kernel/panic; echo 10 >>proc/sys/kernel/panic", "32")
	c.want("exec 6<>proc/sys/kernel/panic; echo 9 >&6; echo 8 >&6; exec 6>&-; cat proc/sys/kernel/panic; echo 10 >proc/sys/kernel/panic", "9")
	c.contains("echo x >proc/sys/kernel/panic", "Invalid argument")
	c.want("cat proc/sys/kernel/panic", "10")
	c.want("stat -c '%a %u:%g' proc/sys/kernel/panic proc/uptime", "644 0:0\n444 0:0")
	c.contains("echo 1 >proc/uptime", "denied")
	c.contains("echo 1 >>proc/uptime", "denied")
	c.contains("chmod 666 proc/uptime", "not permitted")
	c.want("stat -c %a proc/uptime", "444")
	// Another user of the container.
	c.contains("setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'echo 11 >proc/sys/kernel/panic'", "denied")
	c.want("dd if=proc/sys/kernel/panic bs=1 2>/dev/null", "10")
	c.want("n=; while read -r x; do n=$n$x; done <proc/sys/kernel/panic; echo $n", "10")
	if now, err := os.ReadFile("/proc/sys/kernel/panic"); err != nil || string(now) != string(panic0) {
		t.Errorf("the host's value is %q, %v", now, err)
	}
	// What the kernel keeps to itself, and what it has a namespace for.
	c.contains("echo x >proc/sys/kernel/core_pattern", "denied")
	c.want("mountpoint -q proc/sys/kernel/hostname || echo native", "native")
	if _, err := os.Stat("/proc/sys/kernel/ns_last_pid"); err == nil {
		c.want("echo 9999 >proc/sys/kernel/pid_max; cat proc/sys/kernel/pid_max", "9999")
	}
	for i := range nodes {
		n := &nodes[i]
		if _, err := os.Stat("/" + n.path); err != nil || !f.shows(n) {
			continue
		}
		if strings.HasPrefix(n.path, "proc/sys/net/core/") || strings.HasPrefix(n.path, "proc/sys/net/ipv4/neigh/default/") {
			continue // in a served directory
		}
		c.want("stat -f -c %T "+n.path, map[bool]string{true: "fuseblk", false: "proc"}[n.path != "proc/sys/kernel/pid_max" || !namespacedPidMax(c)])
	}
}

// namespacedPidMax tells whether the kernel gives each pid namespace its own (Linux 6.14).
func namespacedPidMax(c *container) bool {
	return c.run("stat -c %u proc/sys/kernel/pid_max; stat -f -c %T proc/sys/kernel/pid_max") == "0\nproc"
}

// TestCoverSkips: what something is mounted on is left alone, and what is read-only stays so.
func TestCoverSkips(t *testing.T) {
	f := serveFS(t, nil)
	c := newContainer(t)
	c.want("echo mine >/tmp/own-$$; mount --bind /tmp/own-$$ proc/uptime; rm /tmp/own-$$; mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys", "")
	c.cover(f)
	c.want("cat proc/uptime", "mine")
	if n := f.Skipped(); n != 1 {
		t.Errorf("%d nodes were left alone", n)
	}
	c.contains("echo 10 >proc/sys/kernel/panic", "Read-only file system")
	c.contains("echo fq >proc/sys/net/core/default_qdisc", "Read-only file system")
	c.cover(f)
	if n := f.Skipped(); n < 20 {
		t.Errorf("%d nodes were left alone the second time", n)
	}
}

// TestServed: the served directories have what the container's network namespace has, and
// the nodes that it lacks.
func TestServed(t *testing.T) {
	f := serveFS(t, nil)
	c := newContainer(t)
	native := strings.Fields(c.run("ls proc/sys/net/core"))
	c.cover(f)
	c.want("echo cake >proc/sys/net/core/default_qdisc; cat proc/sys/net/core/default_qdisc", "cake")
	c.contains("echo nonsense >proc/sys/net/core/default_qdisc", "No such file")
	c.want("echo 5000 >proc/sys/net/core/netdev_max_backlog; cat proc/sys/net/core/netdev_max_backlog", "5000")
	c.want("echo 5194304 >proc/sys/net/core/rmem_max; cat proc/sys/net/core/rmem_max", "5194304")
	if slices.Contains(native, "somaxconn") { // not before Linux 6.4, in a user namespace
		servedSomaxconn(c)
	}
	c.contains("mkdir proc/sys/net/core/x", "not permitted")
	c.contains("cat proc/sys/net/core/nonsense", "No such file")
	c.want("cat proc/sys/net/ipv4/neigh/default/gc_thresh1 >/dev/null && ls proc/sys/net/ipv4/neigh/default", "gc_thresh1\ngc_thresh2\ngc_thresh3")
	c.want("cat proc/sys/net/ipv4/neigh/lo/base_reachable_time_ms", "30000")
	c.want("echo 20000 >proc/sys/net/ipv4/neigh/lo/base_reachable_time_ms; cat proc/sys/net/ipv4/neigh/lo/base_reachable_time_ms", "20000")
	now := strings.Fields(c.run("ls proc/sys/net/core"))
	for _, name := range native {
		if !strings.Contains(" "+strings.Join(now, " ")+" ", " "+name+" ") {
			t.Errorf("%s is missing of %v", name, now)
		}
	}
	for _, node := range []string{"net/core/default_qdisc", "net/core/netdev_max_backlog", "net/core/rmem_max", "net/core/somaxconn"} {
		host, err := os.ReadFile("/proc/sys/" + node)
		must(t, err)
		if s := strings.TrimSpace(string(host)); s == "cake" || s == "5000" || s == "5194304" || s == "77" {
			t.Errorf("the host's %s is %s", node, s)
		}
	}
}

// servedSomaxconn looks at a node that is passed through.
func servedSomaxconn(c *container) {
	c.Helper()
	const node = "proc/sys/net/core/somaxconn"
	c.want("echo 300 >"+node+"; cat "+node, "300")
	c.contains("echo -1 >"+node, "Invalid argument")
	c.want("for i in 1 22 333 4444 5; do echo $i >"+node+"; cat "+node+"; done", "1\n22\n333\n4444\n5")
	c.want("for i in 1 22 333 4444 5; do echo $i >>"+node+"; cat "+node+"; done", "1\n22\n333\n4444\n5")
	c.contains("setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'echo 11 >"+node+"'", "denied")
	// An inner network namespace, seen through the same mount, is itself.
	c.want("echo 77 >"+node+"; unshare -n sh -c 'echo 88 >"+node+"; cat "+node+"'; cat "+node, "88\n77")
}

// TestShared: containers of a pod share the values of network nodes, and only these.
func TestShared(t *testing.T) {
	shared := NewValues()
	a := serveFS(t, func(c *Config) { c.Network = shared })
	b := serveFS(t, func(c *Config) { c.Network = shared })
	for i, text := range []string{"5\n", "77\n", "123456\n", "9\n"} {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		for _, node := range []string{"proc/sys/net/core/netdev_max_backlog", "proc/sys/vm/max_map_count"} {
			must(t, os.WriteFile(from.path(node), []byte(text), 0))
			want(t, from.path(node), text)
		}
		want(t, to.path("proc/sys/net/core/netdev_max_backlog"), text)
	}
	want(t, a.path("proc/sys/vm/max_map_count"), "123456\n")
	want(t, b.path("proc/sys/vm/max_map_count"), "9\n")
}

// TestRaise: a value that must take effect is raised before the write has ended, and a write
// fails where that does.
func TestRaise(t *testing.T) {
	var mu sync.Mutex // the kernel's order is not seen by the race detector
	var node string
	var value int64
	var fail error
	f := serveFS(t, func(c *Config) {
		c.Raise = func(n string, v int64) error {
			mu.Lock()
			defer mu.Unlock()
			node, value = n, v
			return fail
		}
	})
	path := f.path("proc/sys/fs/file-max")
	must(t, os.WriteFile(path, []byte("1234567"), 0))
	mu.Lock()
	if node != "fs.file-max" || value != 1234567 {
		t.Error(node, value)
	}
	fail = unix.EPERM
	mu.Unlock()
	if err := os.WriteFile(path, []byte("7654321"), 0); !errors.Is(err, unix.EIO) {
		t.Error(err)
	}
	want(t, path, "1234567\n")
}

// TestDev tells pseudo-files from others.
func TestDev(t *testing.T) {
	f := serveFS(t, nil)
	file, err := linux.OpenPath(f.path("proc/uptime"))
	must(t, err)
	defer file.Close()
	st, err := linux.StatFile(file)
	if major, minor := f.Dev(); err != nil || st.Dev != unix.Mkdev(major, minor) {
		t.Error(st.Dev, major, minor, err)
	}
}
