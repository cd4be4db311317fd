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

// An opener starts the workload in a container of a side, with a volume of the host's.
type opener func(ctx context.Context, side int, volume string) (*session, error)

func measureDataPath(ctx context.Context, b *bench, rows []row) error {
	return b.dataRounds(ctx, b.few(12, 4), rows, func(ctx context.Context, side int, volume string) (*session, error) {
		return newSession(ctx, b.bed, b.sides[side].Runtime, volume)
	})
}

// dataRounds runs the workload in fresh pairs of containers. Where a process and its
// files happen to lie in memory moves the cost of a call by a few percent for as long
// as the process lives, hence several pairs.
func (b *bench) dataRounds(ctx context.Context, rounds int, rows []row, open opener) error {
	failed := map[string]error{}
	for round := range rounds {
		if err := b.dataRound(ctx, round, rows, open, failed); err != nil {
			return err
		}
	}
	var errs []error
	for _, r := range rows {
		errs = append(errs, failed[r.Name])
	}
	return errors.Join(errs...)
}

// dataRound measures all rows in one pair of containers, of which another one is
// made first in each round. A row that fails is noted and not tried again.
func (b *bench) dataRound(ctx context.Context, round int, rows []row, open opener, failed map[string]error) (err error) {
	var pair [2]*session
	first := round % 2
	for _, i := range []int{first, 1 - first} {
		volume := filepath.Join(b.bed.Dir, fmt.Sprintf("volume-%d-%d", round, i))
		if err := os.Mkdir(volume, 0o755); err != nil {
			return err
		}
		defer os.RemoveAll(volume)
		if pair[i], err = open(ctx, i, volume); err != nil {
			return fmt.Errorf("%s: %w", b.sides[i].Label, err)
		}
		defer func() { err = errors.Join(err, pair[i].close()) }()
	}
	for _, r := range rows {
		if failed[r.Name] == nil && ctx.Err() == nil {
			failed[r.Name] = b.dataRow(ctx, pair, first, r)
		}
	}
	return ctx.Err()
}

// dataRow lets both containers do slices of the same number of operations in turn.
func (b *bench) dataRow(ctx context.Context, pair [2]*session, first int, r row) error {
	do := func(side, n int) (time.Duration, error) {
		took, err := pair[side].do(ctx, r.operation(), n)
		if err != nil {
			err = fmt.Errorf("%s: %w", b.sides[side].Label, err)
		}
		return took, err
	}
	if r.Sparse {
		const samples = 4
		return b.alternate(samples, func(side int) error {
			took, err := do(side, 1)
			if err == nil {
				b.add(r.Name, side, samples, nano(took))
			}
			return err
		})
	}
	n, err := calibrate(func(n int) (time.Duration, error) { return do(first, n) })
	if err != nil {
		return err
	}
	if _, err := do(1-first, n); err != nil {
		return err
	}
	slices := b.few(30, 20)
	return b.alternate(slices, func(side int) error {
		took, err := do(side, n)
		if err == nil {
			b.add(r.Name, side, slices, nano(took)/float64(n))
		}
		return err
	})
}

// calibrate finds how many operations fill a slice.
func calibrate(do func(n int) (time.Duration, error)) (int, error) {
	for n := 1; ; n *= 2 {
		took, err := do(n)
		if err != nil {
			return 0, err
		}
		if took >= slice/2 {
			return max(1, int(float64(n)*float64(slice)/float64(took))), nil
		}
	}
}
