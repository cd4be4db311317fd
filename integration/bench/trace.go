package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"
)

// trace prints who spends the time of a start, and of an exec: the exec and exit
// events of all processes that take part, over n runs of each runtime: medians, and
// the 20th percentiles, which a busy machine disturbs less.
func trace(ctx context.Context, b *bench, n int) (err error) {
	l, err := listen()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := b.warmUp(ctx); err != nil {
		return err
	}
	starts, err := b.traceRuns(ctx, l, n, func(side int) *ctr { return b.runClient(ctx, side) }, true)
	if err != nil {
		return err
	}
	printTrace(os.Stdout, "ctr run --rm … true", b.sides, starts, startPhases)

	tasks, err := b.idlers(ctx)
	if err != nil {
		return err
	}
	execs, err := b.traceRuns(ctx, l, n, func(side int) *ctr { return b.execClient(ctx, tasks[side]) }, false)
	if err = errors.Join(err, deleteAll(ctx, tasks)); err != nil {
		return err
	}
	printTrace(os.Stdout, "ctr task exec … true", b.sides, execs, execPhases)
	return nil
}

// traceRuns has each side run n clients, in turn, and returns their timelines. With
// settle it waits after each until nothing is left of its container.
func (b *bench) traceRuns(ctx context.Context, l *listener, n int, command func(side int) *ctr, settle bool) (runs [2][]timeline, err error) {
	err = b.alternate(n, func(side int) error {
		if _, err := l.take(); err != nil {
			return err
		}
		c := command(side)
		start, err := monotonic()
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		if err := c.wait(); err != nil {
			return err
		}
		if settle {
			if err := b.meter.settle(ctx); err != nil {
				return err
			}
		}
		time.Sleep(20 * time.Millisecond) // for the last events to arrive
		events, err := l.take()
		roots := append(b.shimPids(), b.bed.Pid(), c.Process.Pid)
		runs[side] = append(runs[side], newTimeline(events, start, roots...))
		return err
	})
	return runs, err
}

// shimPids are the shims that were there before, whose children belong to the run.
func (b *bench) shimPids() []int {
	shims, err := b.bed.Shims("")
	if err != nil {
		return nil
	}
	var pids []int
	for _, p := range shims {
		pids = append(pids, p.Pid)
	}
	return pids
}

func printTrace(w io.Writer, title string, sides [2]side, runs [2][]timeline, phases []phase) {
	fmt.Fprintf(w, "\n%s: when, since the client was started (%d runs, ms)\n\n", title, len(runs[0]))
	header := func(what string) {
		fmt.Fprintf(w, "  %-40s %9s %9s %7s %9s %9s %7s\n", what, sides[0].Label, sides[1].Label, "more", "p20", "p20", "more")
	}
	header("step")
	for _, step := range steps(runs) {
		printTimes(w, step, times(runs[0], step), times(runs[1], step))
	}
	fmt.Fprintf(w, "\n%s: how long (ms)\n\n", title)
	header("phase")
	for _, p := range phases {
		printTimes(w, p.name, p.spans(runs[0]), p.spans(runs[1]))
	}
}

func printTimes(w io.Writer, name string, a, b []float64) {
	ms := func(v float64) string {
		if math.IsNaN(v) {
			return "–"
		}
		return fmt.Sprintf("%.1f", v/1e6)
	}
	fmt.Fprintf(w, "  %-40s %9s %9s %7s %9s %9s %7s\n", name,
		ms(median(a)), ms(median(b)), ms(median(b)-median(a)), ms(p20(a)), ms(p20(b)), ms(p20(b)-p20(a)))
}

// steps lists the steps that happened in at least half of the runs of a side, in
// the order of time.
func steps(runs [2][]timeline) []string {
	when := map[string]float64{}
	for _, side := range []int{1, 0} { // the first side decides where both have a step
		for _, t := range runs[side] {
			for step := range t {
				if at := times(runs[side], step); 2*len(at) >= len(runs[side]) {
					when[step] = median(at)
				}
			}
		}
	}
	names := make([]string, 0, len(when))
	for step := range when {
		names = append(names, step)
	}
	slices.SortFunc(names, func(a, b string) int {
		if when[a] < when[b] {
			return -1
		}
		return 1
	})
	return names
}
