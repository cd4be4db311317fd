package linux

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// TestNewProc: a proc that is made for another pid namespace, by the option or by a child, shows
// the processes there, and no other.
func TestNewProc(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() { _, _ = stdin.Close(), cmd.Wait() }()
	ns, err := OpenNS(cmd.Process.Pid, "pid")
	must(t, err)
	defer ns.Close()
	for name, begin := range map[string]func(*os.File) (*FS, error){"option": NewProc, "child": NewProcByChild} {
		t.Run(name, func(t *testing.T) {
			var root *os.File
			err := OnThread(func() error {
				fs, err := begin(ns)
				if err != nil {
					return err
				}
				defer fs.Close()
				root, err = fs.Mount(0)
				return err
			})
			if name == "option" && errors.Is(err, unix.EINVAL) {
				t.Skip("needs Linux 6.18:", err)
			}
			if errors.Is(err, unix.ENOTSUP) {
				t.Skip(err)
			}
			must(t, err)
			defer root.Close()
			dir, err := OpenAt(root, ".", unix.O_RDONLY, 0)
			must(t, err)
			defer dir.Close()
			names, err := dir.Readdirnames(-1)
			must(t, err)
			var processes []string
			for _, n := range names {
				if _, err := strconv.Atoi(n); err == nil {
					processes = append(processes, n)
				}
			}
			if len(processes) != 1 || processes[0] != "1" {
				t.Errorf("processes %q", processes)
			}
		})
	}
}

// TestOpenAs: whoever opens is the user of a namespace, with the rights that it has there.
func TestOpenAs(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	dir := linuxtest.Dir(t)
	const base = 700000
	for _, d := range []struct {
		path  string
		owner int
		mode  os.FileMode
	}{{"mine", base, 0o700}, {"mine/in", base, 0o755}, {"other", base + 5, 0o700}, {"other/in", base, 0o755}, {"foreign", 0, 0o700}, {"foreign/in", 0, 0o755}} {
		must(t, os.Mkdir(dir+"/"+d.path, d.mode))
		must(t, os.Chown(dir+"/"+d.path, d.owner, d.owner))
	}
	must(t, os.Symlink("/mine/in", dir+"/link"))
	cmd := exec.Command("cat")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: base, Size: 1000}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() { _, _ = stdin.Close(), cmd.Wait() }()
	ns, err := OpenNS(cmd.Process.Pid, "user")
	must(t, err)
	defer ns.Close()
	root, err := OpenPath(dir)
	must(t, err)
	defer root.Close()
	for _, tt := range []struct {
		path string
		want error
	}{
		{"mine/in", nil},
		{"/mine/in", nil},
		{"link", nil},     // root is the root
		{"other/in", nil}, // by CAP_DAC_OVERRIDE, which counts for users of the namespace
		{"foreign/in", unix.EACCES},
		{"nothing", unix.ENOENT},
		{"../../../mine/in", nil},
	} {
		f, err := OpenAs(ns, 0, 0, root, root, tt.path, unix.O_DIRECTORY, unix.RESOLVE_NO_MAGICLINKS)
		if errors.Is(err, unix.ENOTSUP) {
			t.Skip(err)
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, not %v", tt.path, err, tt.want)
		}
		if err == nil {
			if !closeOnExec(t, f.Fd()) {
				t.Error("not close-on-exec")
			}
			f.Close()
		}
	}
}

// TestLook: it tells what OpenHow, MountOf and FSMagic tell.
func TestLook(t *testing.T) {
	linuxtest.NoLeak(t)
	for _, path := range []string{"/", "/proc", "/proc/self", "/sys/kernel", "/etc/passwd", "/dev/null", "/nothing", "/etc/passwd/x"} {
		got, err := Look("/", path, 0, unix.RESOLVE_IN_ROOT)
		f, openErr := OpenPath(path)
		if (err == nil) != (openErr == nil) {
			t.Errorf("%s: %v, opening it: %v", path, err, openErr)
		}
		if err != nil || openErr != nil {
			continue
		}
		var want Seen
		want.Mounted, err = MountOf(f)
		must(t, err)
		if unix.Major(want.Dev) == 0 {
			want.Magic, err = FSMagic(f)
			must(t, err)
		}
		f.Close()
		if got != want {
			t.Errorf("%s: %+v, not %+v", path, got, want)
		}
	}
}
