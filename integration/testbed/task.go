package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Result is how a process ended and what it wrote.
type Result struct {
	Code   uint32 // exit status; 128 + n after signal n
	Stdout string
	Stderr string // empty with a terminal: it is all in Stdout then
}

// Task is a container that was created, and its first process.
type Task struct {
	ID        string
	Container client.Container
	Task      client.Task

	bed    *Daemon
	exited <-chan client.ExitStatus
	out    *Output
}

// Create makes a container and its task, which waits to be started. If it fails,
// nothing of the container is left in containerd.
func (d *Daemon) Create(ctx context.Context, c Container) (*Task, error) {
	made, err := d.Define(ctx, c)
	if err != nil {
		return nil, err
	}
	t, err := d.createTask(ctx, made, c)
	if err != nil {
		return nil, errors.Join(err, deleteContainer(d.Context(context.WithoutCancel(ctx)), made))
	}
	return t, nil
}

func (d *Daemon) createTask(ctx context.Context, made client.Container, c Container) (*Task, error) {
	ctx = d.Context(ctx)
	t := &Task{ID: made.ID(), Container: made, bed: d, out: new(Output)}
	var err error
	if t.Task, err = made.NewTask(ctx, d.stdio(c.Stdin, t.out, c.Terminal)); err != nil {
		return nil, err
	}
	t.exited, err = t.Task.Wait(ctx)
	return t, err
}

// Start creates a container and starts it.
func (d *Daemon) Start(ctx context.Context, c Container) (*Task, error) {
	t, err := d.Create(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := t.Start(ctx); err != nil {
		return nil, errors.Join(err, t.Delete(ctx))
	}
	return t, nil
}

// Run runs a container to its end and deletes it. The error is about the runtime;
// how the process ended is in the result.
func (d *Daemon) Run(ctx context.Context, c Container) (Result, error) {
	t, err := d.Start(ctx, c)
	if err != nil {
		return Result{}, err
	}
	result, err := t.Wait(ctx)
	return result, errors.Join(err, t.Delete(context.WithoutCancel(ctx)))
}

// Restart makes and starts a new task for a container whose task was deleted.
func (d *Daemon) Restart(ctx context.Context, id string) (*Task, error) {
	made, err := d.client.LoadContainer(d.Context(ctx), id)
	if err != nil {
		return nil, err
	}
	t, err := d.createTask(ctx, made, Container{})
	if err != nil {
		return nil, err
	}
	return t, t.Start(ctx)
}

// Attach returns the task of a container that exists, without its output: the one
// who started it has that.
func (d *Daemon) Attach(ctx context.Context, id string) (*Task, error) {
	ctx = d.Context(ctx)
	made, err := d.client.LoadContainer(ctx, id)
	if err != nil {
		return nil, err
	}
	t := &Task{ID: id, Container: made, bed: d, out: new(Output)}
	if t.Task, err = made.Task(ctx, nil); err != nil {
		return nil, err
	}
	t.exited, err = t.Task.Wait(ctx)
	return t, err
}

// Start starts the first process.
func (t *Task) Start(ctx context.Context) error { return t.Task.Start(t.bed.Context(ctx)) }

// Pid is the host's ID of the first process.
func (t *Task) Pid() int { return int(t.Task.Pid()) }

// Kill sends a signal to the first process.
func (t *Task) Kill(ctx context.Context, signal syscall.Signal) error {
	return t.Task.Kill(t.bed.Context(ctx), signal)
}

// Wait waits for the end of the first process.
func (t *Task) Wait(ctx context.Context) (Result, error) {
	return await(ctx, t.exited, t.Task.IO(), t.out)
}

// Await waits until what the first process wrote to its standard output so far
// contains text, and returns it all.
func (t *Task) Await(ctx context.Context, text string) (string, error) {
	err := poll(ctx, func() (bool, error) { return strings.Contains(t.out.stdout.String(), text), nil })
	return t.out.stdout.String(), err
}

// Delete kills what still runs and removes the task, its snapshot and its record.
func (t *Task) Delete(ctx context.Context) error {
	ctx = t.bed.Context(context.WithoutCancel(ctx))
	_, err := t.Task.Delete(ctx, client.WithProcessKill)
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("delete task %s: %w", t.ID, err)
	}
	return deleteContainer(ctx, t.Container)
}

// Exec runs one more process in the container to its end.
func (t *Task) Exec(ctx context.Context, args ...string) (Result, error) {
	return t.ExecSpec(ctx, nil, func(p *specs.Process) { p.Args = args })
}

// ExecSpec is Exec for a process that differs from the container's own by more
// than its arguments; edit gets a copy of that.
func (t *Task) ExecSpec(ctx context.Context, stdin io.Reader, edit func(*specs.Process)) (Result, error) {
	p, out, err := t.NewExec(ctx, stdin, edit)
	if err != nil {
		return Result{}, err
	}
	ctx = t.bed.Context(ctx)
	defer func() { _, _ = p.Delete(context.WithoutCancel(ctx), client.WithProcessKill) }()
	exited, err := p.Wait(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := p.Start(ctx); err != nil {
		return Result{}, err
	}
	return await(ctx, exited, p.IO(), out)
}

// NewExec defines one more process without starting it.
func (t *Task) NewExec(ctx context.Context, stdin io.Reader, edit func(*specs.Process)) (client.Process, *Output, error) {
	ctx = t.bed.Context(ctx)
	spec, err := t.Container.Spec(ctx)
	if err != nil {
		return nil, nil, err
	}
	process := *spec.Process
	process.Terminal = false
	edit(&process)
	out := new(Output)
	p, err := t.Task.Exec(ctx, t.bed.UniqueID("exec"), &process, t.bed.stdio(stdin, out, process.Terminal))
	return p, out, err
}

// flusher is the half of cio.IO that waits for the copying of output.
type flusher interface{ Wait() }

func await(ctx context.Context, exited <-chan client.ExitStatus, streams flusher, out *Output) (Result, error) {
	select {
	case status := <-exited:
		if err := status.Error(); err != nil {
			return Result{}, fmt.Errorf("wait: %w", err)
		}
		streams.Wait()
		return Result{Code: status.ExitCode(), Stdout: out.stdout.String(), Stderr: out.stderr.String()}, nil
	case <-ctx.Done():
		return Result{Stdout: out.stdout.String(), Stderr: out.stderr.String()}, context.Cause(ctx)
	}
}

// Delete removes a container by its ID, in whatever state it is, and its snapshot.
// One that containerd does not know is no error.
func (d *Daemon) Delete(ctx context.Context, id string) error {
	ctx = d.Context(ctx)
	c, err := d.client.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return deleteContainer(ctx, c)
}

// deleteContainer removes a container in whatever state it is.
func deleteContainer(ctx context.Context, c client.Container) error {
	task, err := c.Task(ctx, nil)
	if err == nil {
		_, err = task.Delete(ctx, client.WithProcessKill)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("delete task %s: %w", c.ID(), err)
	}
	err = c.Delete(ctx, client.WithSnapshotCleanup)
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("delete container %s: %w", c.ID(), err)
	}
	return nil
}

// Output collects what a process writes.
type Output struct{ stdout, stderr buffer }

// Stdout is what the process has written to its standard output so far.
func (o *Output) Stdout() string { return o.stdout.String() }

// Stderr is what the process has written to its standard error so far.
func (o *Output) Stderr() string { return o.stderr.String() }

// buffer is a bytes.Buffer that may be read while it is written.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
