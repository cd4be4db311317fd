package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/testbed"
)

// bed is the private containerd, and a directory of the demo's own.
type bed struct {
	*testbed.Daemon
	dir    string           // volumes, and the ctr of the lines
	census map[string]count // what was on the host at some moments, by name
	closed bool
}

// open starts the containerd with its image.
func open(ctx context.Context) (_ *bed, err error) {
	d, err := testbed.Start(testbed.Options{})
	if err != nil {
		return nil, err
	}
	b := &bed{Daemon: d, census: map[string]count{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if d.Programs.Eci == "" {
		return nil, errors.New("containerd-shim-eci-v2 is not built: make build")
	}
	if b.dir, err = os.MkdirTemp("", "eci-demo-"); err != nil {
		return nil, err
	}
	if err := b.writeCtr(); err != nil {
		return nil, err
	}
	image, _, err := testbed.Images(ctx)
	if err != nil {
		return nil, err
	}
	image.Name = imageName
	b.count("before")
	return b, d.Import(ctx, image)
}

// close removes everything, once.
func (b *bed) close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	err := b.Daemon.Close()
	if b.dir != "" {
		err = errors.Join(err, os.RemoveAll(b.dir))
	}
	return err
}

func (b *bed) bin() string { return filepath.Join(b.dir, "bin") }

// writeCtr makes the ctr that lines find. It adds where this containerd listens,
// and where a container may leave traces for as long as it lives.
func (b *bed) writeCtr() error {
	if err := os.Mkdir(b.bin(), 0o755); err != nil {
		return err
	}
	script := fmt.Sprintf(`#!/bin/sh
# ctr, for the private containerd of the demo.
export CONTAINERD_ADDRESS='%s' CONTAINERD_NAMESPACE='%s' CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
case "$1 $2" in
run*) shift; exec '%[3]s' run --runc-root '%[4]s' --fifo-dir '%[5]s' --cgroup "%[6]s/$$" "$@" ;;
'task exec') shift 2; exec '%[3]s' task exec --fifo-dir '%[5]s' "$@" ;;
*) exec '%[3]s' "$@" ;;
esac
`, b.Address, b.Namespace, b.Programs.Ctr, b.RuncRoot(), filepath.Join(b.Dir, "fifo"), b.Cgroup())
	return os.WriteFile(filepath.Join(b.bin(), "ctr"), []byte(script), 0o755)
}

// output is what one line wrote, both streams, and how it ended.
type output struct {
	text string
	code int
}

// sh runs one line. Only what keeps it from running is an error.
func (b *bed) sh(ctx context.Context, line string) (output, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+b.bin()+":"+os.Getenv("PATH"), "LC_ALL=C")
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	// A process group of its own keeps the terminal's interrupt for us alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return output{text.String(), exit.ExitCode()}, nil
	}
	return output{text: text.String()}, err
}

// clear deletes all containers.
func (b *bed) clear(ctx context.Context) error {
	ctx = b.Context(ctx)
	containers, err := b.Client().Containers(ctx)
	if err != nil {
		return err
	}
	for _, c := range containers {
		_, _, err := b.Ctr(ctx, "task", "rm", "--force", c.ID())
		if err != nil && !strings.Contains(err.Error(), "not found") {
			return err
		}
		if _, _, err := b.Ctr(ctx, "container", "rm", c.ID()); err != nil {
			return err
		}
	}
	return nil
}

// title says what is about to be compared.
func (b *bed) title(ctx context.Context, ink ink) string {
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	containerd := "containerd"
	if v, err := b.Client().Version(ctx); err == nil {
		containerd += " " + strings.TrimPrefix(v.Version, "v")
	}
	runc, _ := exec.CommandContext(ctx, b.Programs.Runc, "--version").Output()
	return renderTitle(unix.ByteSliceToString(uts.Release[:]), containerd, runcVersion(string(runc)), ink)
}

// runcVersion takes "runc 1.5.2" out of the answer to --version.
func runcVersion(answer string) string {
	fields := strings.Fields(answer)
	if len(fields) < 3 {
		return "runc"
	}
	return "runc " + fields[2]
}
