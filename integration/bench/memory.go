package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// measureMemory weighs the shims of fresh containers that have come to rest.
func measureMemory(ctx context.Context, b *bench, _ []row) error {
	for range b.few(7, 2) {
		tasks, err := b.idlers(ctx)
		if err != nil {
			return err
		}
		rest(ctx, 2*time.Second)
		for i, t := range tasks {
			err = errors.Join(err, b.weigh(i, t))
		}
		err = errors.Join(err, b.strangers(tasks), deleteAll(ctx, tasks))
		if err != nil {
			return err
		}
	}
	return nil
}

// weigh adds up the memory of the shim processes of a container.
func (b *bench) weigh(side int, t *testbed.Task) error {
	shims, err := b.bed.Shims(t.ID)
	if err != nil {
		return err
	}
	if len(shims) == 0 {
		return fmt.Errorf("no shim of container %s is found", t.ID)
	}
	var pss, dirty float64
	for _, p := range shims {
		m, err := rollup(p.Pid)
		if err != nil {
			return err
		}
		pss += m["Pss"]
		dirty += m["Private_Dirty"]
	}
	b.add("shim-pss", side, 1, pss)
	b.add("shim-dirty", side, 1, dirty)
	return nil
}

// strangers complains of processes that belong to neither container nor shim, and
// so would use memory that is not counted.
func (b *bench) strangers(tasks [2]*testbed.Task) error {
	pids, err := b.meter.processes()
	if err != nil {
		return err
	}
	known, err := b.bed.Shims("")
	if err != nil {
		return err
	}
	for _, pid := range pids {
		shim := slices.ContainsFunc(known, func(p testbed.Process) bool { return p.Pid == pid })
		inside := slices.ContainsFunc(tasks[:], func(t *testbed.Task) bool { return t.Pid() == pid })
		if !shim && !inside {
			command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return fmt.Errorf("process %d (%s) is neither shim nor container, and its memory is not counted",
				pid, bytes.ReplaceAll(command, []byte{0}, []byte{' '}))
		}
	}
	return nil
}

// rollup weighs a process, in KiB.
func rollup(pid int) (map[string]float64, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := parseRollup(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// parseRollup reads the sums of /proc/PID/smaps_rollup, in KiB; proc_pid_smaps(5).
func parseRollup(data []byte) (map[string]float64, error) {
	sums := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		fields := strings.Fields(rest)
		if !ok || len(fields) != 2 || fields[1] != "kB" {
			continue
		}
		n, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return nil, err
		}
		sums[name] = n
	}
	for _, name := range []string{"Pss", "Private_Dirty"} {
		if _, ok := sums[name]; !ok {
			return nil, fmt.Errorf("no line %s", name)
		}
	}
	return sums, nil
}
