package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// measureStarts times `ctr run`, one at a time and ten together.
func measureStarts(ctx context.Context, b *bench, rows []row) error {
	wanted := func(name string) bool {
		return slices.ContainsFunc(rows, func(r row) bool { return r.Name == name })
	}
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	if wanted("run") || wanted("run-settled") || wanted("run-cpu") {
		err := b.alternate(b.opts.pairs, func(side int) error { return b.oneStart(ctx, side, wanted) })
		if err != nil {
			return err
		}
	}
	if !wanted("run-x10") {
		return nil
	}
	return b.alternate(max(b.opts.pairs/3, 3), func(side int) error {
		took, err := b.together(ctx, side, 10)
		if err != nil {
			return err
		}
		b.add("run-x10", side, 1, nano(took))
		return b.meter.settle(ctx)
	})
}

// warmUp reads into memory what the first container would read from a disk.
func (b *bench) warmUp(ctx context.Context) error {
	return b.alternate(2, func(side int) error {
		if _, err := b.together(ctx, side, 1); err != nil {
			return err
		}
		return b.meter.settle(ctx)
	})
}

func (b *bench) oneStart(ctx context.Context, side int, wanted func(string) bool) error {
	before, err := b.meter.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	took, err := b.together(ctx, side, 1)
	if err != nil {
		return err
	}
	if err := b.meter.settle(ctx); err != nil {
		return err
	}
	settled := time.Since(start)
	after, err := b.meter.cpu()
	if err != nil {
		return err
	}
	for name, value := range map[string]time.Duration{"run": took, "run-settled": settled, "run-cpu": after - before} {
		if wanted(name) {
			b.add(name, side, 1, nano(value))
		}
	}
	return nil
}

// together runs n containers of a side at once and returns when all clients have
// ended, with the time since the first was started.
func (b *bench) together(ctx context.Context, side, n int) (time.Duration, error) {
	clients := make([]*ctr, n)
	for i := range clients {
		clients[i] = b.runClient(ctx, side)
	}
	start := time.Now()
	var errs []error
	for _, c := range clients {
		errs = append(errs, c.Start())
	}
	for i, c := range clients {
		if errs[i] == nil {
			errs[i] = c.wait()
		}
	}
	return time.Since(start), errors.Join(errs...)
}

// ctr is a client inside the meter's cgroup.
type ctr struct {
	*exec.Cmd
	stderr strings.Builder
}

// runClient is a `ctr run` of a container that does nothing.
func (b *bench) runClient(ctx context.Context, side int) *ctr {
	id := b.bed.UniqueID("run")
	args := append(b.bed.RunArgs(b.sides[side].Runtime, id), "--rm", imageName, id, "true")
	return b.client(ctx, args...)
}

// execClient is a `ctr task exec` of a process that does nothing.
func (b *bench) execClient(ctx context.Context, t *testbed.Task) *ctr {
	return b.client(ctx, "task", "exec", "--fifo-dir", b.bed.Dir+"/fifo", "--exec-id", b.bed.UniqueID("exec"), t.ID, "true")
}

func (b *bench) client(ctx context.Context, args ...string) *ctr {
	c := &ctr{Cmd: b.bed.CtrCommand(ctx, args...)}
	c.Stderr = &c.stderr
	b.meter.adopt(c.Cmd)
	return c
}

func (c *ctr) wait() error {
	if err := c.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.name(), err, strings.TrimSpace(c.stderr.String()))
	}
	return nil
}

// name is the command without its general flags.
func (c *ctr) name() string {
	return "ctr " + strings.Join(c.Args[min(5, len(c.Args)):], " ")
}

// nano turns a duration into a sample.
func nano(d time.Duration) float64 { return float64(d.Nanoseconds()) }
