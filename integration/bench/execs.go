package main

import (
	"context"
	"errors"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// measureExecs times `ctr task exec` in living containers, several pairs of them.
func measureExecs(ctx context.Context, b *bench, _ []row) error {
	rounds := b.few(6, 2)
	for range rounds {
		tasks, err := b.idlers(ctx)
		if err != nil {
			return err
		}
		err = b.execs(ctx, tasks, b.opts.pairs*3/2/rounds)
		if err := errors.Join(err, deleteAll(ctx, tasks)); err != nil {
			return err
		}
	}
	return nil
}

// execs takes n samples of each side in one pair of containers, after one that
// does not count.
func (b *bench) execs(ctx context.Context, tasks [2]*testbed.Task, n int) error {
	n = max(n, 1)
	first := [2]bool{true, true}
	return b.alternate(1+n, func(side int) error {
		before, err := b.meter.cpu()
		if err != nil {
			return err
		}
		c := b.execClient(ctx, tasks[side])
		start := time.Now()
		if err := c.Start(); err != nil {
			return err
		}
		if err := c.wait(); err != nil {
			return err
		}
		took := time.Since(start)
		after, err := b.meter.cpu()
		if err == nil && !first[side] {
			b.add("exec", side, n, nano(took))
			b.add("exec-cpu", side, n, nano(after-before))
		}
		first[side] = false
		return err
	})
}

// idlers starts one container of each side that only sleeps.
func (b *bench) idlers(ctx context.Context) (tasks [2]*testbed.Task, err error) {
	for i, side := range b.sides {
		tasks[i], err = b.bed.Start(ctx, testbed.Container{
			Runtime: side.Runtime, Image: imageName, Args: []string{"sleep", "100000"},
		})
		if err != nil {
			return tasks, errors.Join(err, deleteAll(ctx, tasks))
		}
	}
	return tasks, nil
}

func deleteAll(ctx context.Context, tasks [2]*testbed.Task) error {
	var errs []error
	for _, t := range tasks {
		if t != nil {
			errs = append(errs, t.Delete(ctx))
		}
	}
	return errors.Join(errs...)
}
