package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
	"golang.org/x/sys/unix"
)

// meter is a cgroup of cgroup2 that holds the bed's containerd and every client
// that the benchmark starts, and so all that these start. The kernel counts the
// processor time of processes that have ended, too, which no look at /proc can;
// cgroup2 does so without any controller, also where cgroup v1 has them all.
type meter struct {
	dir       string
	fd        *os.File // of dir; clients are born into it
	container string   // where runtimes put containers on a pure cgroup2 machine
	daemon    int      // containerd's process ID
}

// newMeter makes the cgroup and moves containerd into it.
func newMeter(bed *testbed.Daemon) (*meter, error) {
	root, err := cgroup2()
	if err != nil {
		return nil, err
	}
	sweep(root, os.Remove)
	m := &meter{
		dir:       filepath.Join(root, ownName()+strings.TrimPrefix(bed.Name, "eci-")),
		container: filepath.Join(root, bed.Cgroup()),
		daemon:    bed.Pid(),
	}
	if err := os.Mkdir(m.dir, 0o755); err != nil {
		return nil, err
	}
	if m.fd, err = os.Open(m.dir); err == nil {
		err = os.WriteFile(filepath.Join(m.dir, "cgroup.procs"), []byte(strconv.Itoa(m.daemon)), 0o644)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// cgroup2 finds the hierarchy at its usual places.
func cgroup2() (string, error) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir, nil
		}
	}
	return "", errors.New("no cgroup2 is mounted at /sys/fs/cgroup or /sys/fs/cgroup/unified: its accounting is needed")
}

// close removes the cgroup, once the processes in it have ended.
func (m *meter) close() error {
	if m.fd != nil {
		_ = m.fd.Close()
	}
	return os.Remove(m.dir)
}

// adopt has a client start inside the cgroup.
func (m *meter) adopt(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(m.fd.Fd())}
}

// cpu is the processor time that was used in the cgroup so far.
func (m *meter) cpu() (time.Duration, error) {
	total, err := usage(m.dir)
	if err != nil {
		return 0, err
	}
	inside, err := usage(m.container)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return total + inside, err
}

func usage(dir string) (time.Duration, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "usage_usec "); ok {
			us, err := strconv.ParseInt(value, 10, 64)
			return time.Duration(us) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("%s/cpu.stat has no usage_usec", dir)
}

// processes lists those in the cgroup beside containerd.
func (m *meter) processes() ([]int, error) {
	data, err := os.ReadFile(filepath.Join(m.dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, field := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(field); err == nil && pid != m.daemon && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// settle waits until there are none, but for those that stay.
func (m *meter) settle(ctx context.Context, stay ...int) error {
	const patience = 30 * time.Second
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		pids, err := m.processes()
		pids = slices.DeleteFunc(pids, func(pid int) bool { return slices.Contains(stay, pid) })
		if err != nil || len(pids) == 0 {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(start) > patience {
			return fmt.Errorf("processes %v are still there %s after the client's end", pids, patience)
		}
	}
}
