package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/eci-runtime/eci/integration/testbed"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// session is a container in which the workload waits for orders.
type session struct {
	bed       *testbed.Daemon
	container client.Container
	task      client.Task
	orders    *io.PipeWriter
	answers   chan string // closed when the workload's output ends
	said      string      // the last line that was no answer; to be read after that
}

// newSession starts the workload under a runtime, with a volume, and with what it
// needs to mount: CAP_SYS_ADMIN, and nothing mounted over /proc, since the kernel
// lets a user namespace mount only as much of procfs as it sees. The seccomp profile is
// containerd's own, as clients give it.
func newSession(ctx context.Context, bed *testbed.Daemon, runtime, volume string) (*session, error) {
	return openSession(ctx, bed, testbed.Container{
		Runtime: runtime,
		Image:   imageName,
		Args:    []string{"/workload"},
		Mounts:  []specs.Mount{testbed.Bind(volume, "/volume")},
		CapAdd:  []string{"CAP_SYS_ADMIN"},
		Spec: func(s *specs.Spec) {
			s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
			s.Linux.Seccomp = seccomp.DefaultProfile(s)
		},
	})
}

// openSession starts a container whose process becomes the workload.
func openSession(ctx context.Context, bed *testbed.Daemon, c testbed.Container) (*session, error) {
	s := &session{bed: bed, answers: make(chan string)}
	var err error
	if s.container, err = bed.Define(ctx, c); err != nil {
		return nil, err
	}
	if err := s.start(bed.Context(ctx)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) start(ctx context.Context) error {
	stdin, orders := io.Pipe()
	output, stdout := io.Pipe()
	s.orders = orders
	streams := cio.WithStreams(stdin, stdout, stdout)
	var err error
	s.task, err = s.container.NewTask(ctx, cio.NewCreator(streams, cio.WithFIFODir(filepath.Join(s.bed.Dir, "fifo"))))
	if err != nil {
		return err
	}
	exited, err := s.task.Wait(ctx)
	if err != nil {
		return err
	}
	go func() {
		<-exited
		_ = stdout.Close()
	}()
	go func() {
		defer close(s.answers)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if isAnswer(lines.Text()) {
				s.answers <- lines.Text()
			} else {
				s.said = lines.Text()
			}
		}
	}()
	return s.task.Start(ctx)
}

// do has the workload do an operation n times.
func (s *session) do(ctx context.Context, operation string, n int) (time.Duration, error) {
	if _, err := fmt.Fprintf(s.orders, "%s %d\n", operation, n); err != nil {
		return 0, err
	}
	select {
	case line, ok := <-s.answers:
		if !ok {
			return 0, fmt.Errorf("the workload has ended: %s", s.said)
		}
		return parseAnswer(line)
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Minute):
		return 0, fmt.Errorf("%s: no answer for a minute", operation)
	}
}

// isAnswer tells the workload's lines from those of programs before it.
func isAnswer(line string) bool {
	return strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "error ")
}

// parseAnswer reads a line of the workload.
func parseAnswer(line string) (time.Duration, error) {
	word, rest, _ := strings.Cut(line, " ")
	if word != "ok" {
		return 0, errors.New(strings.TrimPrefix(line, "error "))
	}
	ns, err := strconv.ParseInt(rest, 10, 64)
	return time.Duration(ns), err
}

// close kills the workload and removes its container.
func (s *session) close() error {
	ctx := s.bed.Context(context.Background())
	var errs []error
	if s.orders != nil {
		errs = append(errs, s.orders.Close())
	}
	if s.task != nil {
		_, err := s.task.Delete(ctx, client.WithProcessKill)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.container.Delete(ctx, client.WithSnapshotCleanup))...)
}
