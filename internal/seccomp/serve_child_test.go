package seccomp

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	children["keeper"] = childKeeper
	children["storm"] = childStorm
	children["flood"] = childFlood
	children["ask"] = childAsk
	children["memory"] = childMemory
	children["shuttle"] = childShuttle
}

// childKeeper starts a script in its namespaces, whose lines are its arguments, and then does
// what it reads: "kill" that, or a line of a script.
func childKeeper(lines []string) error {
	if err := handOver(mountCalls...); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", lines...)
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=script")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if in.Text() == "kill" {
			_, _ = cmd.Process.Kill(), cmd.Wait()
			fmt.Println("killed")
		} else if err := childScript([]string{in.Text()}); err != nil {
			return err
		}
	}
	return nil
}

// childShuttle mounts and unmounts a proc for ever.
func childShuttle([]string) error {
	for {
		if err := unix.Mount("proc", "p", "proc", 0, ""); err != nil {
			return err
		}
		if err := unix.Unmount("p", 0); err != nil {
			return err
		}
	}
}

// childStorm mounts and unmounts a proc args[0] times, which makes args[1] mounts, while signals
// come all the time; args[2] is "killable" or not. It prints how often something was done twice.
func childStorm(args []string) error {
	if err := handOverAs(args[2] == "killable", mountCalls...); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGALRM)
	self, tid := os.Getpid(), unix.Gettid()
	stop := make(chan bool)
	go func() {
		for pause := 0; ; pause = (pause + 37) % 1500 {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(pause) * time.Microsecond):
				_ = unix.Tgkill(self, tid, unix.SIGALRM)
			}
		}
	}()
	defer close(stop)
	n, err1 := strconv.Atoi(args[0])
	each, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	twice := 0
	for i := range n {
		if err := again(func() error { return unix.Mount("proc", "p", "proc", 0, "") }); err != nil {
			return fmt.Errorf("mount %d: %w", i, err)
		}
		text, err := below([]string{"p"})
		count, _ := strconv.Atoi(text)
		if err != nil || count == 0 || count%each != 0 {
			return fmt.Errorf("after mount %d: %s mounts, %w", i, text, err)
		}
		twice += count/each - 1
		for count > 0 {
			err := again(func() error { return unix.Unmount("p", 0) })
			if errors.Is(err, unix.EINVAL) {
				twice++
			} else if err != nil {
				return fmt.Errorf("umount %d: %w", i, err)
			}
			if text, err = below([]string{"p"}); err != nil {
				return err
			}
			count, _ = strconv.Atoi(text)
		}
	}
	fmt.Println(twice)
	return nil
}

func again(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// childFlood makes args[0] calls as fast as it can, by args[1] threads.
func childFlood(args []string) error {
	n, err1 := strconv.Atoi(args[0])
	threads, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2, handOver(mountCalls...)); err != nil {
		return err
	}
	fmt.Println("begin")
	var all []*exec.Cmd
	for range threads {
		cmd := exec.Command("/proc/self/exe", strconv.Itoa(n/threads))
		cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=ask")
		cmd.Stderr = os.Stdout
		if err := cmd.Start(); err != nil { // from this thread, which has the filter
			return err
		}
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			return err
		}
	}
	fmt.Println("end")
	return nil
}

// childAsk makes args[0] calls, and with a second argument prints how long the slowest and the
// one in the middle of each hundred took, in microseconds.
func childAsk(args []string) error {
	if len(args) > 1 {
		if err := handOver(mountCalls...); err != nil {
			return err
		}
		fmt.Println("begin")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var all []time.Duration
	for range n {
		start := time.Now()
		if err := unix.Unmount("missing", 0); !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("umount: %w", err)
		}
		all = append(all, time.Since(start))
	}
	if len(args) > 1 {
		for _, d := range all {
			fmt.Print(" ", d.Microseconds())
		}
		fmt.Println()
	}
	return nil
}

// childMemory gives addresses to calls at which there is no string, with the agent if there is
// an argument.
func childMemory(args []string) error {
	if len(args) > 0 {
		if err := handOver(mountCalls...); err != nil {
			return err
		}
	}
	page := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	if err := unix.Mprotect(memory[2*page:3*page], unix.PROT_NONE); err != nil {
		return err
	}
	copy(memory[2*page-5:], "abcde")                    // no end before the hole
	copy(memory[page-2:], "none\x00")                   // across a page
	copy(memory[3*page:], strings.Repeat("x/", page/2)) // as long as a page
	end := len(memory)
	dot, proc := addressOf(dotString), addressOf(procString)
	for _, at := range []struct {
		name    string
		address uintptr
	}{
		{"null", 0},
		{"one", 1},
		{"the kernel", ^uintptr(0) - 4095},
		{"the last byte", ^uintptr(0)},
		{"nothing mapped", addressOf(memory) + uintptr(end)*1000},
		{"a hole", addressOf(memory) + uintptr(2*page)},
		{"no end", addressOf(memory) + uintptr(2*page-5)},
		{"across a page", addressOf(memory) + uintptr(page-2)},
		{"4096 bytes", addressOf(memory) + uintptr(3*page)},
		{"empty", addressOf(memory)},
	} {
		fmt.Println(at.name,
			"type:", rawErr(unix.SYS_MOUNT, dot, dot, at.address, 0, 0),
			"target:", rawErr(unix.SYS_MOUNT, dot, at.address, proc, 0, 0),
			"source:", rawErr(unix.SYS_MOUNT, at.address, dot, proc, unix.MS_RDONLY|1<<31, 0),
			"data:", rawErr(unix.SYS_MOUNT, dot, dot, proc, 1<<31, at.address),
			"from:", rawErr(unix.SYS_MOUNT, at.address, dot, 0, unix.MS_BIND, 0),
			"umount:", rawErr(unix.SYS_UMOUNT2, at.address, 0, 0, 0, 0),
			"fsopen:", rawErr(unix.SYS_FSOPEN, at.address, 0, 0, 0, 0),
			"open_tree:", rawErr(unix.SYS_OPEN_TREE, at.address, at.address, unix.OPEN_TREE_CLONE, 0, 0),
			"move_mount:", rawErr(unix.SYS_MOVE_MOUNT, 0, at.address, 0, at.address, 0))
	}
	return nil
}

// They must not move.
var dotString, procString = []byte(".\x00"), []byte("proc\x00")

func addressOf(b []byte) uintptr { return reflect.ValueOf(b).Pointer() }

// rawErr makes a system call and names its error.
func rawErr(nr uintptr, args ...uintptr) string {
	args = append(args, 0, 0, 0, 0, 0)
	_, _, errno := unix.Syscall6(nr, args[0], args[1], args[2], args[3], args[4], 0)
	if errno == 0 {
		return "done"
	}
	return unix.ErrnoName(errno)
}
