package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

func tmpfs(target string, options ...string) specs.Mount {
	return specs.Mount{Type: "tmpfs", Source: "tmpfs", Destination: target, Options: options}
}

// TestShapes_Volumes puts a directory with the file "f" of user 1000, and that
// file, onto targets of every kind.
func TestShapes_Volumes(t *testing.T) {
	d := bed(t)
	volume := t.TempDir()
	file(t, filepath.Join(volume, "f"), 1000, 0o644)
	f := filepath.Join(volume, "f")
	other := t.TempDir()
	file(t, filepath.Join(other, "o"), 65535, 0o644)

	const stat = "stat -c %n:%u "
	for _, c := range []struct {
		name   string
		mounts []specs.Mount
		script string
		want   string
	}{
		{"a file of the image", []specs.Mount{testbed.Bind(f, "/etc/file")}, stat + "/etc/file", "/etc/file:1000"},
		{"a missing file", []specs.Mount{testbed.Bind(f, "/etc/deep/er/new")}, stat + "/etc/deep/er/new /etc/deep", "/etc/deep/er/new:1000\n/etc/deep:0"},
		{"a missing directory", []specs.Mount{testbed.Bind(volume, "/mnt/deep/er")}, stat + "/mnt/deep/er/f /mnt", "/mnt/deep/er/f:1000\n/mnt:0"},
		{"a directory of the image", []specs.Mount{testbed.Bind(volume, "/target")}, "ls /target", "f"},
		{"a link to a directory", []specs.Mount{testbed.Bind(volume, "/link")}, "ls /target /link/; readlink /link", "/link/:\nf\n\n/target:\nf\n/target"},
		{"below a link", []specs.Mount{testbed.Bind(volume, "/link/dir")}, "ls /target/dir", "f"},
		{"a link to a file", []specs.Mount{testbed.Bind(f, "/filelink")}, stat + "/target/file", "/target/file:1000"},
		{"a link that leaves, absolute", []specs.Mount{testbed.Bind(volume, "/esc-abs")}, "ls /eci-escape", "f"},
		{"a link that leaves, relative", []specs.Mount{testbed.Bind(volume, "/esc-rel")}, "ls /eci-escape", "f"},
		{"below a link that leaves", []specs.Mount{testbed.Bind(volume, "/esc-rel/sub")}, "ls /eci-escape/sub", "f"},
		{
			"below another volume",
			[]specs.Mount{testbed.Bind(other, "/mnt"), testbed.Bind(volume, "/mnt/sub")},
			stat + "/mnt/o /mnt/sub/f /mnt/sub", "/mnt/o:65535\n/mnt/sub/f:1000\n/mnt/sub:0",
		},
		{"hidden by a later volume", []specs.Mount{testbed.Bind(volume, "/mnt/sub"), testbed.Bind(other, "/mnt")}, "ls /mnt; ls /mnt/sub", "o\nsub"},
		{"the same target twice", []specs.Mount{testbed.Bind(volume, "/mnt"), testbed.Bind(other, "/mnt")}, "ls /mnt", "o\nsub"},
		{"the same source twice", []specs.Mount{testbed.Bind(volume, "/mnt/a"), testbed.Bind(volume, "/mnt/b", "ro")}, "touch /mnt/a/t; ls /mnt/b; rm /mnt/a/t; touch /mnt/b/t 2>&1 || true", "f\nt\ntouch: /mnt/b/t: Read-only file system"},
		{"below /dev", []specs.Mount{testbed.Bind(volume, "/dev/vol"), testbed.Bind(f, "/dev/file")}, stat + "/dev/vol/f /dev/file /dev/null", "/dev/vol/f:1000\n/dev/file:1000\n/dev/null:0"},
		{"below /dev/shm", []specs.Mount{testbed.Bind(volume, "/dev/shm/vol")}, stat + "/dev/shm/vol/f", "/dev/shm/vol/f:1000"},
		{"below /run", []specs.Mount{testbed.Bind(volume, "/run/vol"), testbed.Bind(f, "/run/lock/file")}, stat + "/run/vol/f /run/lock/file", "/run/vol/f:1000\n/run/lock/file:1000"},
		{"below a link to /run", []specs.Mount{testbed.Bind(volume, "/var/run/vol")}, stat + "/run/vol/f", "/run/vol/f:1000"},
		{"below a tmpfs of the client", []specs.Mount{tmpfs("/tmp", "size=1m", "mode=1777"), testbed.Bind(volume, "/tmp/vol")}, stat + "/tmp/vol/f; touch /tmp/x; stat -c %a /tmp", "/tmp/vol/f:1000\n1777"},
		{"a tmpfs below a volume", []specs.Mount{testbed.Bind(other, "/mnt"), tmpfs("/mnt/sub")}, "touch /mnt/sub/x; ls /mnt/sub; ls /mnt", "x\no\nsub"},
		{"over /dev/shm", []specs.Mount{testbed.Bind(volume, "/dev/shm")}, stat + "/dev/shm/f", "/dev/shm/f:1000"},
		{"over /run", []specs.Mount{testbed.Bind(volume, "/run")}, stat + "/run/f", "/run/f:1000"},
		{"over /tmp", []specs.Mount{testbed.Bind(volume, "/tmp")}, stat + "/tmp/f", "/tmp/f:1000"},
		{"type none", []specs.Mount{{Type: "none", Source: volume, Destination: "/mnt", Options: []string{"rbind", "rprivate"}}}, stat + "/mnt/f", "/mnt/f:1000"},
		{"no type", []specs.Mount{{Source: volume, Destination: "/mnt", Options: []string{"bind", "rw"}}}, stat + "/mnt/f", "/mnt/f:1000"},
		{"type bind without options", []specs.Mount{{Type: "bind", Source: volume, Destination: "/mnt"}}, stat + "/mnt/f", "/mnt/f:1000"},
		{"a target with a slash at its end", []specs.Mount{testbed.Bind(volume, "/mnt/x/")}, stat + "/mnt/x/f", "/mnt/x/f:1000"},
		{"a target with blanks", []specs.Mount{testbed.Bind(volume, "/mnt/a b,c=ü\\x")}, "ls '/mnt/a b,c=ü\\x'", "f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantText(t, "inside", run(t, d, testbed.Container{Args: []string{"sh", "-ec", c.script}, Mounts: c.mounts}), c.want)
			if _, err := os.Lstat("/eci-escape"); err == nil {
				_ = os.RemoveAll("/eci-escape")
				t.Error("a symbolic link of the image led to the host: /eci-escape was made there")
			}
		})
	}
}

// TestShapes_Sources takes sources of every kind.
func TestShapes_Sources(t *testing.T) {
	d := bed(t)
	base := t.TempDir()
	named := dir(t, filepath.Join(base, "a b,c:d=ü"))
	file(t, filepath.Join(named, "f"), 1000, 0o644)
	if err := os.Symlink(named, filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(base, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(base, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	deep := dir(t, filepath.Join(base, strings.Repeat("long-name-of-a-directory/", 40)))
	file(t, filepath.Join(deep, "f"), 1000, 0o644)

	for _, c := range []struct{ name, source, target, test string }{
		{"blanks and commas", named, "/mnt", "-f /mnt/f"},
		{"a link", filepath.Join(base, "link"), "/mnt", "-f /mnt/f"},
		{"a FIFO", fifo, "/etc/fifo", "-p /etc/fifo"},
		{"a socket", socket, "/etc/socket", "-S /etc/socket"},
		{"a long name", deep, "/mnt", "-f /mnt/f"},
		{"dots", named + "/../" + filepath.Base(named) + "/.", "/mnt", "-f /mnt/f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, d, testbed.Container{Args: []string{"sh", "-c", "test " + c.test}, Mounts: []specs.Mount{testbed.Bind(c.source, c.target)}})
		})
	}
}

func TestShapes_SixtyVolumes(t *testing.T) {
	d := bed(t)
	base := t.TempDir()
	var mounts []specs.Mount
	for i := range 60 {
		source := dir(t, filepath.Join(base, fmt.Sprint(i)))
		file(t, filepath.Join(source, "f"), i, 0o644)
		mounts = append(mounts, testbed.Bind(source, fmt.Sprintf("/mnt/%d", i), [][]string{{"rw"}, {"ro"}}[i%2]...))
	}
	out := run(t, d, testbed.Container{Args: []string{"sh", "-ec", "cat /mnt/*/f | wc -c; for i in $(seq 0 59); do test $(stat -c %u /mnt/$i/f) = $i; done; grep -c ' /mnt/.* ro,' /proc/self/mountinfo"}, Mounts: mounts})
	wantText(t, "inside", out, "60\n30")
}

// TestShapes_Propagation mounts something on the host below a volume after the
// container has started. A shared or slave volume shows it; a private one does
// not. What the container mounts never shows on the host: the kernel turns shared
// mounts into slaves where they enter another user namespace.
func TestShapes_Propagation(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name    string
		options []string
		seen    bool
	}{
		{"rshared", []string{"rshared"}, true},
		{"rslave", []string{"rslave"}, true},
		{"rprivate", []string{"rprivate"}, false},
		{"default", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			volume := tmpfsVolume(t)
			command(t, "mount", "--make-shared", volume)
			later := dir(t, filepath.Join(volume, "later"))
			dir(t, filepath.Join(volume, "inside"))
			task := start(t, d, testbed.Container{Mounts: []specs.Mount{testbed.Bind(volume, "/mnt", c.options...)}, CapAdd: []string{"CAP_SYS_ADMIN"}})
			mount(t, "later", later, "tmpfs", 0)
			file(t, filepath.Join(later, "f"), 0, 0o644)
			if got := strings.TrimSpace(exec(t, task, "ls", "/mnt/later")); (got == "f") != c.seen {
				t.Errorf("below /mnt/later: %q, want the mount to be seen: %t", got, c.seen)
			}
			exec(t, task, "sh", "-ec", "mount -t tmpfs inside /mnt/inside; touch /mnt/inside/x")
			if _, err := os.Stat(filepath.Join(volume, "inside/x")); err == nil && runtimeName == "eci" {
				t.Error("the host sees a mount of the container")
			}
			exec(t, task, "umount", "/mnt/inside")
		})
	}
}

func TestShapes_TmpfsMounts(t *testing.T) {
	out := run(t, bed(t), testbed.Container{
		Args: []string{"sh", "-ec", "cd /mnt; stat -c '%n %u:%g %a' a b c; df -k /mnt/a | tail -n1 | awk '{print $2}'; ! touch c/x 2>/dev/null; touch a/x b/x"},
		Mounts: []specs.Mount{
			tmpfs("/mnt/a", "size=64k", "mode=700"),
			tmpfs("/mnt/b", "uid=1000", "gid=2000", "mode=750", "nosuid", "nodev"),
			tmpfs("/mnt/c", "ro"),
		},
	})
	wantText(t, "inside", out, "a 0:0 700\nb 1000:2000 750\nc 0:0 1777\n64")
}
