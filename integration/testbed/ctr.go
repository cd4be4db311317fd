package testbed

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Names of the runtimes that a bed can run containers with.
const (
	Eci  = "io.containerd.eci.v2"
	Runc = "io.containerd.runc.v2"
)

// runtimeName turns a short name into containerd's.
func runtimeName(name string) string {
	switch name {
	case "", "eci":
		return Eci
	case "runc":
		return Runc
	}
	return name
}

// Ctr runs containerd's own command-line client against the bed, and returns
// what it wrote. A status other than 0 is an error that carries its last line.
func (d *Daemon) Ctr(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	cmd := d.CtrCommand(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), errs.String(), fmt.Errorf("ctr %s: %w: %s", args[0], err, lastLine(errs.String()))
	}
	return out.String(), errs.String(), nil
}

// CtrCommand is the command that Ctr runs, for callers that time it or give it a
// terminal.
func (d *Daemon) CtrCommand(ctx context.Context, args ...string) *exec.Cmd {
	all := append([]string{"--address", d.Address, "--namespace", d.Namespace}, args...)
	cmd := exec.CommandContext(ctx, d.Programs.Ctr, all...)
	cmd.Env = d.env(nil)
	cmd.WaitDelay = deadline
	return cmd
}

// RunArgs are the arguments of `ctr run` that keep a container inside the bed:
// its runtime ("eci", "runc" or containerd's name), cgroup, FIFOs and runc state.
// Flags, the image's name, the container's ID and the command follow:
//
//	d.Ctr(ctx, append(d.RunArgs("eci", id), "--rm", testbed.BusyboxName, id, "id")...)
func (d *Daemon) RunArgs(runtime, id string) []string {
	return []string{
		"run", "--runtime", runtimeName(runtime), "--runc-root", d.RuncRoot(),
		"--cgroup", d.Cgroup() + "/" + id, "--fifo-dir", d.path("fifo"),
	}
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
