package main

import (
	"context"
	"errors"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// measureExecs times `ctr task exec` in one living container of each side.
func measureExecs(ctx context.Context, b *bench, _ []row) error {
	tasks, err := b.idlers(ctx)
	if err != nil {
		return err
	}
	const warm = 2
	n := 0
	err = b.alternate(warm+b.opts.pairs*3/2, func(side int) error {
		n++
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
		if err == nil && n > 2*warm {
			b.add("exec", side, 1, nano(took))
			b.add("exec-cpu", side, 1, nano(after-before))
		}
		return err
	})
	return errors.Join(err, deleteAll(ctx, tasks))
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
