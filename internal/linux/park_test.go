package linux

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// ways are the implementations of InNewUserNS on this architecture.
var ways = map[string]func(func(pid int) error) error{"parked": InNewUserNS, "forked": inNewUserNS}

func TestInNewUserNS(t *testing.T) {
	linuxtest.Root(t)
	own, err := os.Readlink("/proc/self/ns/user")
	must(t, err)
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			linuxtest.NoLeak(t)
			pid := 0
			must(t, way(func(p int) error {
				pid = p
				if got, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", p)); got == own || err != nil {
					t.Errorf("user namespace %s, %v", got, err)
				}
				if got, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", p)); len(got) != 0 || err != nil {
					t.Errorf("mapping %q, %v", got, err)
				}
				return nil
			}))
			if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
				t.Errorf("process %d: %v", pid, err)
			}
			if err := way(func(int) error { return os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// TestInUserNS: a process joins a user namespace in which nobody is.
func TestInUserNS(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	var ns *os.File
	must(t, InNewUserNS(func(pid int) (err error) {
		must(t, os.WriteFile(fmt.Sprintf("/proc/%d/uid_map", pid), []byte("0 700000 65536"), 0))
		ns, err = OpenNS(pid, "user")
		return err
	}))
	defer ns.Close()
	pid := 0
	for range 50 {
		err := InUserNS(ns, func(p int) error {
			pid = p
			got, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", p))
			if strings.Join(strings.Fields(string(got)), " ") != "0 700000 65536" {
				t.Errorf("mapping %q", got)
			}
			return err
		})
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		must(t, err)
	}
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("process %d: %v", pid, err)
	}

	own, err := OpenNS(0, "user")
	must(t, err)
	defer own.Close()
	net, err := OpenNS(0, "net")
	must(t, err)
	defer net.Close()
	for _, wrong := range []*os.File{own, net} {
		err := InUserNS(wrong, func(int) error { t.Error("called"); return nil })
		if !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v, want EINVAL", wrong.Name(), err)
		}
	}
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("a child is left: %v", err)
	}
}

// TestInNewUserNSBusy: in a process that allocates, starts processes and
// receives signals, nothing is damaged and nothing hangs.
func TestInNewUserNSBusy(t *testing.T) {
	linuxtest.Root(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	busy := func(fn func()) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					fn()
				}
			}
		})
	}
	var sink [][]byte
	busy(func() { sink = append(sink[:len(sink)%100], make([]byte, 10000)) })
	busy(func() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			t.Error(err)
		}
	})
	busy(func() { _ = unix.Kill(os.Getpid(), unix.SIGURG); time.Sleep(50 * time.Microsecond) })
	var rounds sync.WaitGroup
	for range 4 {
		rounds.Go(func() {
			for range 50 {
				err := InNewUserNS(func(pid int) error { return unix.Kill(pid, 0) })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	rounds.Wait()
	close(stop)
	wg.Wait()
}

// TestParkedDiesWithParent: a process that is killed leaves no parked one.
func TestParkedDiesWithParent(t *testing.T) {
	linuxtest.Root(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=park")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	must(t, err)
	must(t, unix.Kill(pid, 0))
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if !gone("/proc/" + strconv.Itoa(pid)) {
		status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		t.Errorf("process %d is left: %s", pid, status)
	}
}

// childPark prints the ID of a parked process and waits.
func childPark([]string) error {
	return InNewUserNS(func(pid int) error {
		fmt.Println(pid)
		time.Sleep(time.Hour)
		return nil
	})
}

func BenchmarkInNewUserNS(b *testing.B) {
	linuxtest.Root(b)
	for name, way := range ways {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := way(func(int) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
