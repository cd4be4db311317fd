package seccomp

import (
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func init() { children["affinity"] = childAffinity }

// childAffinity prints how many processors sched_getaffinity(2) tells of whom, and the results
// of odd lengths.
func childAffinity([]string) error {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	// A thread without the filter, and a process with.
	other := make(chan int)
	go func() {
		runtime.LockOSThread()
		other <- unix.Gettid()
		<-other
	}()
	thread := <-other
	if err := filtered("sched_getaffinity"); err != nil {
		return err
	}
	cmd := exec.Command("sleep", "100")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	for _, who := range []struct {
		name string
		tid  int
	}{{"caller", 0}, {"itself", unix.Gettid()}, {"process", os.Getpid()}, {"thread", thread}, {"child", cmd.Process.Pid}, {"nobody", 1 << 21}, {"negative", -1}} {
		mask := make([]byte, 1024)
		n, err := linux.Affinity(who.tid, mask)
		count := 0
		for _, b := range mask {
			count += bits.OnesCount8(b)
		}
		fmt.Println(who.name, n, count, err)
	}
	// One that has bound itself gets what it has bound itself to.
	var one unix.CPUSet
	one.Set(1)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	fmt.Println("bound", set.Count(), set.IsSet(1))
	for _, length := range []int{0, 1, 2, 3, 4, 5, 8, 12, 16, 1 << 20} {
		n, err := linux.Affinity(0, make([]byte, length))
		fmt.Println("length", length, err, n)
	}
	for _, address := range []uintptr{0, 8, ^uintptr(0) - 7} {
		_, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, 0, 1024, address)
		fmt.Println("address", strconv.FormatUint(uint64(address), 16), int(errno))
	}
	return nil
}

func TestAffinity(t *testing.T) {
	linuxtest.Root(t)
	if runtime.NumCPU() < 2 {
		linuxtest.Missing(t, "needs two processors")
	}
	abiTests(t, func(t *testing.T, exe string, _ int) {
		linuxtest.NoLeak(t)
		ask := func(narrowed bool) string {
			c := testContainer{exe: exe}
			c.CPUs = func() ([]int, bool, error) { return []int{0}, narrowed, nil }
			out, err := c.run(t, "affinity")
			must(t, err)
			return out
		}
		wide, few := ask(false), ask(true)
		// All is as the kernel says it, but for the number.
		cpus := fmt.Sprintf(" %d <nil>", runtime.NumCPU())
		if strings.Count(wide, cpus) != 5 || few != strings.ReplaceAll(wide, cpus, " 1 <nil>") {
			t.Errorf("native:\n%s\n\nnarrowed:\n%s", wide, few)
		}
	})
}
