package seccomp

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func init() {
	children["sysinfo"] = childSysinfo
	children["sysinfo-time"] = childSysinfoTime
	children["uptime"] = childUptime
}

// abiTests are the ABIs to test in: the program to run, and the size of a word.
func abiTests(t *testing.T, test func(t *testing.T, exe string, word int)) {
	t.Run("native", func(t *testing.T) { test(t, "", 8) })
	t.Run("386", func(t *testing.T) {
		exe := filepath.Join(linuxtest.Dir(t), "386.test")
		if _, err := exec.LookPath("go"); err != nil {
			linuxtest.Missing(t, err.Error())
		}
		build := exec.Command("go", "test", "-c", "-o", exe, ".")
		build.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		probe := exec.Command(exe, "-test.run=NONE")
		if out, err := probe.CombinedOutput(); errors.Is(err, unix.ENOEXEC) {
			t.Skip("this kernel runs no 32-bit programs")
		} else if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		test(t, exe, 4)
	})
}

// childSysinfo prints what sysinfo(2) tells, and what it says of bad addresses.
func childSysinfo([]string) error {
	if err := filtered("sysinfo"); err != nil {
		return err
	}
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return err
	}
	unit := uint64(s.Unit)
	fmt.Println(uint64(s.Totalram)*unit, uint64(s.Freeram)*unit, uint64(s.Totalswap)*unit, s.Loads, s.Procs, s.Uptime, s.Unit)
	for _, address := range []uintptr{0, 1, 4096, ^uintptr(0), ^uintptr(0) - 8, ^uintptr(0) / 2} {
		if _, _, errno := unix.Syscall(unix.SYS_SYSINFO, address, 0, 0); errno != unix.EFAULT {
			fmt.Printf("%#x: %v\n", address, errno)
		}
	}
	return nil
}

func TestSysinfo(t *testing.T) {
	linuxtest.Root(t)
	abiTests(t, func(t *testing.T, exe string, word int) {
		linuxtest.NoLeak(t)
		c := testContainer{exe: exe}
		known := Sysinfo{
			TotalRAM: 6 << 30, FreeRAM: 5 << 30, TotalSwap: 8192, Loads: [3]float64{1, 2, 0.5}, Procs: 7,
			Uptime: time.Hour, // but it can be told from the time namespace
		}
		c.Sysinfo = func() (Sysinfo, error) { return known, nil }
		now := time.Now()
		up, err := uptime(os.Getpid())
		must(t, err)
		out, err := c.run(t, "sysinfo")
		unit := 1
		if word == 4 {
			unit = os.Getpagesize()
		}
		want := func(seconds uint64) string {
			return fmt.Sprintf("%d %d %d [65536 131072 32768] 7 %d %d", known.TotalRAM, known.FreeRAM, known.TotalSwap, seconds, unit)
		}
		ok := false
		for s := seconds(up); s <= seconds(up+time.Since(now)); s++ {
			ok = ok || out == want(s)
		}
		if err != nil || !ok {
			t.Errorf("%s, %v; want %s", out, err, want(seconds(up)))
		}

		// Without numbers the kernel answers.
		c.Sysinfo = func() (Sysinfo, error) { return known, os.ErrClosed }
		if out, err := c.run(t, "sysinfo"); err != nil || out == "" || out == want(seconds(up)) {
			t.Errorf("without numbers: %s, %v", out, err)
		}
	})
}

// childSysinfoTime asks in a time namespace of its own, which is a million seconds older.
func childSysinfoTime([]string) error {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	if err := filtered("sysinfo"); err != nil {
		return err
	}
	exe, err := os.Open("/proc/self/exe") // which unshare(1) would take for itself
	if err != nil {
		return err
	}
	defer exe.Close()
	cmd := exec.Command("unshare", "--time", "--fork", "--boottime", "1000000", "/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{exe}
	cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=uptime")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// childUptime prints what two calls say of the time since boot, in seconds.
func childUptime([]string) error {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return err
	}
	up, err := linux.Boottime()
	if err != nil {
		return err
	}
	fmt.Println(int64(seconds(up)) - int64(s.Uptime))
	if up < 1000000*time.Second {
		return fmt.Errorf("no time namespace: %v", up)
	}
	return nil
}

// TestSysinfoTime: sysinfo(2) agrees with the clock of the caller's time namespace.
func TestSysinfoTime(t *testing.T) {
	linuxtest.Root(t)
	linuxtest.NoLeak(t)
	var c testContainer
	c.Sysinfo = func() (Sysinfo, error) { return Sysinfo{TotalRAM: 1}, nil }
	if out, err := c.run(t, "sysinfo-time"); err != nil || out != "0" && out != "1" {
		t.Errorf("%s, %v", out, err)
	}
}
