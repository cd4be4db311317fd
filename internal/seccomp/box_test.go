package seccomp

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// standIn are pseudo-files: files of a tmpfs.
type standIn struct {
	dir *os.File
	dev uint64
}

// standInNodes are over what they are mounted in a proc: 35 files and two directories. In a sysfs
// it is a directory.
var standInNodes = []string{
	"uptime", "meminfo", "cpuinfo", "stat", "loadavg", "swaps", "diskstats", "version", "filesystems", "devices",
	"sys/kernel/panic", "sys/kernel/panic_on_oops", "sys/kernel/printk", "sys/kernel/sysrq", "sys/kernel/kptr_restrict",
	"sys/kernel/dmesg_restrict", "sys/kernel/threads-max", "sys/kernel/ngroups_max", "sys/kernel/cap_last_cap", "sys/kernel/tainted",
	"sys/kernel/osrelease", "sys/fs/file-max", "sys/fs/nr_open", "sys/fs/protected_hardlinks", "sys/fs/protected_symlinks",
	"sys/vm/overcommit_memory", "sys/vm/max_map_count", "sys/vm/swappiness", "sys/vm/dirty_ratio", "sys/vm/dirty_background_ratio",
	"sys/vm/mmap_min_addr", "sys/vm/dirty_expire_centisecs", "sys/vm/drop_caches", "sys/vm/page-cluster", "sys/vm/stat_interval",
	"sys/vm/extfrag_threshold",
	"sys/fs/inotify", "sys/net/core", // directories
}

func newStandIn(t testing.TB) *standIn {
	t.Helper()
	path := linuxtest.Tmpfs(t)
	own := func(name string) { must(t, os.Chown(path+"/"+name, int(testRange.Base), int(testRange.Base))) }
	for _, n := range standInNodes[:len(standInNodes)-2] {
		name := strings.ReplaceAll(n, "/", ".")
		must(t, os.WriteFile(filepath.Join(path, name), []byte("pseudo\n"), 0o644))
		own(name)
	}
	for _, dir := range []string{"kernel.mm", "sys.fs.inotify", "sys.net.core"} {
		must(t, os.Mkdir(path+"/"+dir, 0o755))
	}
	dir, err := linux.OpenPath(path)
	must(t, err)
	t.Cleanup(func() { dir.Close() })
	m, err := linux.MountOf(dir)
	must(t, err)
	return &standIn{dir, m.Dev}
}

func (s *standIn) Dev() uint64 { return s.dev }

// Instance needs Linux 6.15, which can mount on what is detached, unless that was copied in
// another mount namespace.
func (s *standIn) Instance(mount *os.File, fstype string, plain bool) (tree *os.File, err error) {
	nodes := standInNodes
	switch {
	case fstype == "sysfs":
		nodes = []string{"kernel/mm"}
	case plain:
		nodes = nodes[:len(nodes)-2]
	}
	err = linux.OnThread(func() error {
		probe, err := linux.OpenTree(mount, "", false)
		if err == nil {
			probe.Close()
			if err := s.cover(mount, s.dir, nodes); err != nil {
				return err
			}
			tree, err = linux.Duplicate(mount)
			return err
		}
		path, err := linux.PathOf(s.dir)
		if err == nil {
			err = linux.NewMountNS()
		}
		if err != nil {
			return err
		}
		dir, err := linux.OpenPath(path)
		if err != nil {
			return err
		}
		defer dir.Close()
		if err := linux.MoveMount(mount, dir); err != nil {
			return err
		}
		if err := s.cover(mount, dir, nodes); err != nil {
			return err
		}
		tree, err = linux.OpenTree(mount, "", true)
		return err
	})
	return tree, err
}

func (s *standIn) cover(mount, dir *os.File, nodes []string) error {
	readOnly, err := linux.IsReadOnly(mount)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if strings.HasPrefix(n, "sys/net/") {
			if err := enterNetworkOf(mount); err != nil {
				continue // with subset=pid, …
			}
		}
		at, err := linux.OpenHow(mount, n, unix.O_PATH, unix.RESOLVE_BENEATH)
		if err != nil {
			continue // not in this one
		}
		tree, err := linux.OpenTree(dir, strings.ReplaceAll(n, "/", "."), false)
		if err == nil {
			if readOnly {
				err = linux.SetAttr(tree, linux.Attr{Set: unix.MOUNT_ATTR_RDONLY})
			}
			err = errors.Join(err, linux.MoveMount(tree, at))
			tree.Close()
		}
		at.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// enterNetworkOf goes into the network of the first process of a proc, whose /proc/sys/net
// others do not see.
func enterNetworkOf(proc *os.File) error {
	ns, err := linux.OpenAt(proc, "1/ns/net", unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer ns.Close()
	return linux.EnterNetNS(ns)
}

// box is a container of the tests with its agent, which listens as it does for runc.
type box struct {
	t     testing.TB
	agent *Agent
	path  string
	dir   string // a tmpfs that belongs to the container's root
}

// newBox has an agent with stand-ins for what the shim gives.
func newBox(t testing.TB, change ...func(*Config)) *box {
	t.Helper()
	linuxtest.Root(t)
	b := &box{t: t, path: filepath.Join(t.TempDir(), "agent"), dir: linuxtest.Tmpfs(t)}
	must(t, os.Chown(b.dir, int(testRange.Base), int(testRange.Base)))
	c := Config{
		Path: b.path, Files: newStandIn(t), IDs: testRange, Logf: t.Logf,
		Sysinfo: func() (Sysinfo, error) { return Sysinfo{}, nil },
		CPUs:    func() ([]int, bool, error) { return nil, false, nil },
	}
	for _, f := range change {
		f(&c)
	}
	agent, err := Listen(c)
	must(t, err)
	t.Cleanup(func() { must(t, agent.Close()) })
	b.agent = agent
	return b
}

// process is a process of a box.
type process struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout *os.File
}

// start calls a child by its name in new user, mount, pid and network namespaces, in the box's
// directory. It is stopped at the end of the test.
func (b *box) start(name string, args ...string) *process {
	b.t.Helper()
	return b.startAs("", name, args...)
}

// startAs is start for the test binary of another architecture.
func (b *box) startAs(exe, name string, args ...string) *process {
	b.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: b.path, Net: "unix"})
	must(b.t, err)
	defer conn.Close()
	socket, err := conn.File()
	must(b.t, err)
	defer socket.Close()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(testRange.Base), Size: int(testRange.Size)}}
	cmd := exec.Command(cmp.Or(exe, "/proc/self/exe"), args...)
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD="+name)
	cmd.Dir = b.dir
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}, Setpgid: true,
	}
	p := &process{Cmd: cmd}
	p.stdin, err = cmd.StdinPipe()
	must(b.t, err)
	out, in, err := os.Pipe()
	must(b.t, err)
	p.stdout = out
	cmd.Stdout, cmd.Stderr = in, in
	must(b.t, cmd.Start())
	must(b.t, in.Close())
	b.t.Cleanup(p.end)
	return p
}

// end kills it, if it has not ended.
func (p *process) end() {
	_ = p.Process.Kill()
	_ = p.Wait()
	_ = p.stdin.Close()
	_ = p.stdout.Close()
}

// all is all that it prints until it ends.
func (p *process) all(t testing.TB) string {
	t.Helper()
	out, err := io.ReadAll(p.stdout)
	must(t, err)
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// line is the next line that it prints.
func (p *process) line(t testing.TB) string {
	t.Helper()
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(p.stdout, one); err != nil {
			t.Fatalf("%v after %q", err, line)
		}
		if one[0] == '\n' {
			return string(line)
		}
		line = append(line, one[0])
	}
}

// handOver puts calls of this thread, and of all that it starts, into the agent's hands, as runc
// does it.
func handOver(calls ...string) error { return handOverAs(true, calls...) }

// handOverAs tells whether only SIGKILL interrupts calls that the agent looks at.
func handOverAs(killable bool, calls ...string) error {
	listener, err := handedOver(killable, calls...)
	if err != nil {
		return err
	}
	defer listener.Close()
	state, err := json.Marshal(specs.ContainerProcessState{Fds: []string{specs.SeccompFdName}, Pid: os.Getpid()})
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(3, state, unix.UnixRights(int(listener.Fd())), nil, 0); err != nil {
		return fmt.Errorf("send the listener: %w", err)
	}
	return unix.Close(3)
}

// handedOver makes the calling thread ask a listener about calls.
func handedOver(killable bool, calls ...string) (listener *os.File, err error) {
	runtime.LockOSThread()
	var rows []unix.SockFilter
	for _, call := range calls {
		if nr, ok := numberOf(call); ok {
			rows = append(rows,
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jf: 1},
				unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
		}
	}
	program := slices.Concat(
		[]unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}}, // seccomp_data.nr
		rows, []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}})
	return linux.InstallFilter(program, killable)
}

// waveThrough lets a listener's calls proceed, and looks at nothing.
func waveThrough(listener *os.File) error {
	l, err := linux.NewListener(listener)
	if err != nil {
		return err
	}
	go func() {
		for {
			n, err := l.Receive()
			if err != nil {
				return
			}
			_ = l.Respond(linux.Response{ID: n.ID, Flags: linux.Continue})
		}
	}()
	return nil
}

// mountCalls are those that have to do with mounts.
var mountCalls = []string{"mount", "umount", "umount2", "fsopen", "open_tree", "move_mount"}
