package seccomp

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// testRange is a range that no account uses.
var testRange = Range{Base: 700000, Size: 65536}

// testContainer is a process that stands for a container: root of a user namespace, and the
// first one of a pid namespace.
type testContainer struct {
	Config
	exe string // the test binary of another architecture; "" for this one
}

// run calls a child by its name, and gives what it prints. The agent answers as soon as the
// child calls filtered, and until it ends.
func (c testContainer) run(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	conn, err := net.FileConn(ours)
	must(t, err)
	must(t, ours.Close())
	served := make(chan error)
	go func() {
		defer conn.Close()
		served <- c.serve(conn.(*net.UnixConn))
	}()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(testRange.Base), Size: int(testRange.Size)}}
	cmd := exec.Command(cmp.Or(c.exe, "/proc/self/exe"), args...)
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD="+name)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}, Pdeathsig: syscall.SIGKILL,
	}
	runtime.LockOSThread() // the child dies with the thread, which one of the agent must not become
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	theirs.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(out)), err
}

// serve waits for the listener and answers, until nobody has the filter any more.
func (c testContainer) serve(conn *net.UnixConn) error {
	_, files, err := receiveFiles(conn, make([]byte, 1))
	if errors.Is(err, io.EOF) {
		return nil // it has no filter
	}
	if err != nil || len(files) != 1 {
		return fmt.Errorf("%d listeners: %w", len(files), err)
	}
	l, err := linux.NewListener(files[0])
	if err != nil {
		return err
	}
	a := &Agent{
		c:         &container{Config: c.Config, slots: make(chan struct{}, parallel)},
		listeners: map[*linux.Listener]bool{l: true},
	}
	(&server{agent: a, listener: l, all: 1}).serve()
	return nil
}

// numberOf is the number of a call for this program; false if its ABI has none.
func numberOf(call string) (uint32, bool) {
	native := map[string]string{"amd64": "x86_64", "386": "i386", "arm64": "aarch64", "arm": "arm"}[runtime.GOARCH]
	for _, a := range abis {
		for _, n := range a.calls {
			if a.name == native && n.call == call {
				return n.nr, true
			}
		}
	}
	return 0, false
}

// filtered hands calls of this thread, and of what it starts, over to the agent.
func filtered(calls ...string) error {
	const load, jumpIfEqual, result = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, unix.BPF_RET | unix.BPF_K
	runtime.LockOSThread()
	program := []unix.SockFilter{{Code: load, K: 0}} // seccomp_data.nr
	for _, call := range calls {
		nr, ok := numberOf(call)
		if !ok {
			continue
		}
		program = append(program,
			unix.SockFilter{Code: jumpIfEqual, K: nr, Jf: 1},
			unix.SockFilter{Code: result, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	program = append(program, unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ALLOW})
	listener, err := linux.InstallFilter(program, false)
	if err != nil {
		return err
	}
	defer listener.Close()
	return unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(listener.Fd())), nil, 0)
}
