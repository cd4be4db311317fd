package pseudofs

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func attachedFirst(i *instance) { i.attached = true }

// TestNewInstance builds instances on a detached mount, as Linux 6.15 can, and on one that is
// attached for it, and looks at them where they are attached.
func TestNewInstance(t *testing.T) {
	f := serveFS(t, func(c *Config) {
		c.Masked = []string{"/proc/keys", "/proc/acpi", "/proc/nonsense", "/sys/firmware", "/etc/passwd", "/proc/../etc"}
		c.ReadOnly = []string{"/proc/irq", "/proc/sys", "/proc/bus"}
	})
	for name, opts := range map[string][]InstanceOption{"detached": nil, "attached first": {attachedFirst}} {
		t.Run(name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			dir := instanceAt(t, f, "proc", opts...)
			want(t, dir+"/keys", "")
			if st, err := os.Stat(dir + "/keys"); err != nil || st.Size() != 0 {
				t.Error(st, err)
			}
			uptime, err := os.ReadFile(dir + "/uptime")
			if err != nil || strings.Count(string(uptime), " ") != 1 {
				t.Errorf("%q, %v", uptime, err)
			}
			own, err := os.ReadFile(f.path("proc/sys/kernel/panic"))
			must(t, err)
			want(t, dir+"/sys/kernel/panic", string(own))
			for _, path := range []string{"/sys/kernel/panic", "/sys/vm/swappiness", "/sys/kernel/hostname", "/irq", "/keys"} {
				if err := unix.Access(dir+path, unix.W_OK); err != unix.EROFS {
					t.Errorf("%s: %v", path, err)
				}
			}
			sys := instanceAt(t, f, "sysfs", opts...)
			if left, err := os.ReadDir(sys + "/firmware"); err != nil || len(left) != 0 {
				t.Error(left, err)
			}
			file, err := linux.OpenPath(sys + "/devices/system/cpu/online")
			must(t, err)
			defer file.Close()
			if st, err := linux.StatFile(file); err != nil || st.Dev != f.dev {
				t.Error(st, err)
			}
		})
	}
}

// instanceAt attaches a new instance of a file system, until the end of the test.
func instanceAt(t testing.TB, f *FS, fstype string, opts ...InstanceOption) (dir string) {
	t.Helper()
	kind := Proc
	if fstype == "sysfs" {
		kind = Sys
	}
	mount := detached(t, fstype)
	tree, err := f.NewInstance(mount, kind, opts...)
	mount.Close()
	must(t, err)
	defer tree.Close()
	dir = linuxtest.Dir(t)
	at, err := linux.OpenPath(dir)
	must(t, err)
	defer at.Close()
	must(t, linux.MoveMount(tree, at))
	t.Cleanup(func() { must(t, linux.Detach(dir)) })
	return dir
}

// TestWithoutServed leaves the directories to the kernel, and covers what it refuses in them.
func TestWithoutServed(t *testing.T) {
	f := serveFS(t, nil)
	c := newContainer(t)
	c.want("mount -t tmpfs x sys && mkdir sys/a sys/b", "")
	for dir, opts := range map[string][]InstanceOption{"a": nil, "b": {WithoutServed}} {
		mount := procOf(c)
		tree, err := f.NewInstance(mount, Proc, opts...)
		mount.Close()
		must(t, err)
		c.inside(func() error {
			at, err := linux.OpenPath(c.dir + "/sys/" + dir)
			if err != nil {
				return err
			}
			defer at.Close()
			return linux.MoveMount(tree, at)
		})
		tree.Close()
	}
	c.want("stat -f -c %T sys/a/sys/net/core sys/b/sys/net/core", "fuseblk\nproc")
	c.want("cd proc/sys/net/core && ls somaxconn >/dev/null 2>&1; a=$?; cd - >/dev/null; ls sys/a/sys/net/core/somaxconn >/dev/null 2>&1; [ $? = $a ]; echo $?", "0")
	c.want("[ ! -e sys/b/sys/net/core/somaxconn ] || stat -f -c %T sys/b/sys/net/core/somaxconn | grep -vx proc", "")
	host, err := os.ReadFile("/proc/sys/net/core/default_qdisc")
	must(t, err)
	c.want("cat sys/a/sys/net/core/default_qdisc", strings.TrimSpace(string(host)))
	c.contains("cat sys/b/sys/net/core/default_qdisc", "No such file")
	c.want("[ ! -e sys/b/sys/net/core/rmem_max ] || stat -f -c %T sys/b/sys/net/core/rmem_max | grep -vx fuseblk", "")
	c.want("echo 5 >sys/a/sys/kernel/panic; cat sys/b/sys/kernel/panic", "5")
}

// procOf is a detached clone of the container's procfs, whose first process is its own.
func procOf(c *container) (mount *os.File) {
	c.Helper()
	c.inside(func() (err error) {
		mount, err = linux.OpenTree(nil, c.dir+"/proc", false)
		return err
	})
	return mount
}
