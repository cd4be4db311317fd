package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// systemPath finds Debian's programs.
const systemPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// importSystems brings the image of whole systems into the bed, once. The error is
// testbed.ErrNoImage if it is not built.
func (b *bench) importSystems(ctx context.Context) error {
	if b.systems {
		return nil
	}
	err := b.bed.ImportDebian(ctx, testbed.SystemsName)
	b.systems = err == nil
	return err
}

// measureSystems runs whole systems.
func measureSystems(ctx context.Context, b *bench, rows []row) error {
	if err := b.importSystems(ctx); err != nil {
		return err
	}
	var errs []error
	for name, m := range map[string]struct {
		samples int
		measure func(context.Context, int) (float64, error)
	}{
		"dockerd-idle": {b.few(5, 2), b.dockerMemory},
		"systemd-boot": {b.few(10, 3), b.bootTime},
	} {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.Name == name }) {
			continue
		}
		// The first of each reads the image.
		first := [2]bool{true, true}
		errs = append(errs, b.alternate(1+m.samples, func(side int) error {
			value, err := m.measure(ctx, side)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", name, b.sides[side].Label, err)
			}
			if !first[side] {
				b.add(name, side, 1, value)
			}
			first[side] = false
			return b.meter.settle(ctx)
		}))
	}
	return errors.Join(errs...)
}

// system is a container of a whole system, with cgroups of its own to divide, and with the
// default capabilities and read-only paths: what systems write to the host's settings when
// they start, and the events that they ask of devices, would be real under runc.
func (b *bench) system(side int, args ...string) testbed.Container {
	return testbed.Container{
		Runtime: b.sides[side].Runtime, Image: testbed.SystemsName, Args: args, Env: []string{systemPath},
		Spec: func(s *specs.Spec) {
			s.Process.NoNewPrivileges = false
			s.Mounts = append(s.Mounts, cgroups)
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
		},
	}
}

// dockerMemory is that of the runtime of a container in which dockerd has come to rest, in
// KiB. dockerd has the capabilities that it needs, and may write the settings of its network
// namespace, but not those of the machine.
func (b *bench) dockerMemory(ctx context.Context, side int) (_ float64, err error) {
	c := b.system(side, "sh", "-c", "exec dockerd 2>&1")
	c.CapAdd = []string{"CAP_SYS_ADMIN", "CAP_NET_ADMIN"}
	settings, err := machineSettings()
	if err != nil {
		return 0, err
	}
	base := c.Spec
	c.Spec = func(s *specs.Spec) {
		base(s)
		paths := slices.DeleteFunc(slices.Clone(s.Linux.ReadonlyPaths), func(path string) bool { return path == "/proc/sys" })
		s.Linux.ReadonlyPaths = append(paths, settings...)
	}
	t, err := b.bed.Start(ctx, c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.Delete(ctx)) }()
	ready, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if out, err := t.Await(ready, "API listen on"); err != nil {
		return 0, fmt.Errorf("dockerd: %w: %s", err, out)
	}
	rest(ctx, 2*time.Second)
	return b.outsideMemory()
}

// machineSettings are the directories below /proc/sys that do not belong to a network namespace.
func machineSettings() ([]string, error) {
	entries, err := os.ReadDir("/proc/sys")
	var dirs []string
	for _, e := range entries {
		if e.Name() != "net" {
			dirs = append(dirs, filepath.Join("/proc/sys", e.Name()))
		}
	}
	return dirs, err
}

// outsideMemory is the proportional set size, in KiB, of all that was started in the bed
// and runs in this PID namespace, not in a container's.
func (b *bench) outsideMemory() (float64, error) {
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return 0, err
	}
	pids, err := b.meter.processes()
	if err != nil {
		return 0, err
	}
	var pss float64
	for _, pid := range pids {
		namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		if errors.Is(err, os.ErrNotExist) || namespace != own {
			continue // it has ended, or is in the container
		}
		m, err := rollup(pid)
		if err != nil {
			return 0, err
		}
		pss += m["Pss"]
	}
	if pss == 0 {
		return 0, errors.New("no shim is found")
	}
	return pss, nil
}

// rest waits, unless it is to end before.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
