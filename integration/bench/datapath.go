package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// slice is how long one sample of the data path is meant to take: long against what
// it costs to wake the workload, and shorter than what a scheduler lets a process
// run before it looks at others that wait. So most samples are undisturbed even on
// a machine that has other work to do.
const slice = 2 * time.Millisecond

// measureDataPath runs the workload in fresh pairs of containers. Where a process
// and its files happen to lie in memory moves the cost of a call by a few percent
// for as long as the process lives, hence several pairs.
func measureDataPath(ctx context.Context, b *bench, rows []row) error {
	failed := map[string]error{}
	for round := range b.few(12, 4) {
		if err := b.dataRound(ctx, round, rows, failed); err != nil {
			return err
		}
	}
	var errs []error
	for _, r := range rows {
		errs = append(errs, failed[r.Name])
	}
	return errors.Join(errs...)
}

// dataRound measures all rows in one pair of containers. A row that fails is noted
// and not tried again.
func (b *bench) dataRound(ctx context.Context, round int, rows []row, failed map[string]error) (err error) {
	var pair [2]*session
	for i, side := range b.sides {
		volume := filepath.Join(b.bed.Dir, fmt.Sprintf("volume-%d-%d", round, i))
		if err := os.Mkdir(volume, 0o755); err != nil {
			return err
		}
		defer os.RemoveAll(volume)
		if pair[i], err = newSession(ctx, b.bed, side.Runtime, volume); err != nil {
			return fmt.Errorf("%s: %w", side.Label, err)
		}
		defer func() { err = errors.Join(err, pair[i].close()) }()
	}
	for _, r := range rows {
		if failed[r.Name] == nil && ctx.Err() == nil {
			failed[r.Name] = b.dataRow(ctx, pair, r)
		}
	}
	return ctx.Err()
}

// dataRow lets both containers do slices of the same number of operations in turn.
func (b *bench) dataRow(ctx context.Context, pair [2]*session, r row) error {
	n, err := b.calibrate(ctx, pair, r)
	if err != nil {
		return err
	}
	slices := b.few(30, 20)
	return b.alternate(slices, func(side int) error {
		took, err := pair[side].do(ctx, r.Name, n)
		if err != nil {
			return fmt.Errorf("%s: %w", b.sides[side].Label, err)
		}
		b.add(r.Name, side, slices, nano(took)/float64(n))
		return nil
	})
}

// calibrate finds how many operations fill a slice in the first container, and
// warms up the second with as many.
func (b *bench) calibrate(ctx context.Context, pair [2]*session, r row) (int, error) {
	n := 1
	for {
		took, err := pair[0].do(ctx, r.Name, n)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", b.sides[0].Label, err)
		}
		if took >= slice/2 {
			n = max(1, int(float64(n)*float64(slice)/float64(took)))
			break
		}
		n *= 2
	}
	if _, err := pair[1].do(ctx, r.Name, n); err != nil {
		return 0, fmt.Errorf("%s: %w", b.sides[1].Label, err)
	}
	return n, nil
}
