package sysctl

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestKilled: processes that raise and release are killed at any moment; the value stays
// between the original and the ceiling, and comes back when the bundles are gone.
func TestKilled(t *testing.T) {
	f := newFake(t)
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	var running []*exec.Cmd
	for i := range rounds {
		bundle := f.bundle(fmt.Sprint("bundle", i%5))
		cmd := exec.Command("/proc/self/exe", f.dir, bundle)
		cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=churn")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		must(t, cmd.Start())
		running = append(running, cmd)
		if len(running) < 4 {
			continue
		}
		time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
		victim := running[0]
		running = running[1:]
		_ = victim.Process.Kill()
		_ = victim.Wait()
		if v, err := f.read("fs.nr_open"); err != nil || v < 100 || v > 1000 {
			t.Errorf("value %d, %v", v, err)
		}
	}
	for _, cmd := range running {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for i := range 5 {
		must(t, os.RemoveAll(filepath.Join(f.dir, fmt.Sprint("bundle", i))))
	}
	must(t, f.Sweep())
	f.want("fs.nr_open", 100)
	if _, err := os.Lstat(f.Dir + "/next"); err == nil {
		must(t, os.Remove(f.Dir+"/next"))
	}
	f.wantEmpty()
}

// childChurn raises and releases until it is killed.
func childChurn(args []string) error {
	c := Claims{
		Dir:      filepath.Join(args[0], "claims"),
		Proc:     filepath.Join(args[0], "sys"),
		Ceilings: map[string]int64{"fs.nr_open": 1000},
	}
	for {
		if err := c.Raise("fs.nr_open", 100+rand.Int64N(1100), args[1]); err != nil {
			return err
		}
		if rand.IntN(3) == 0 {
			if err := c.ReleaseOwner(args[1]); err != nil {
				return err
			}
		}
	}
}
