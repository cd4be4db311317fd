package main

import (
	"errors"
	"os"

	"github.com/eci-runtime/eci/integration/testbed"
)

// bench is one run of the benchmark.
type bench struct {
	bed     *testbed.Daemon
	bin     string // directory of the programs, removed by close
	meter   *meter
	opts    options
	sides   [2]side // what is compared: the second is related to the first
	found   map[string]*series
	systems bool       // the image of whole systems is in the bed
	left    *leftovers // nil until the cycles were counted

	// restore gives this process' session group its nice value back.
	restore func() error
}

// A side is one of the two runtimes.
type side struct {
	Label   string // in the table
	Runtime string // as package testbed calls it
}

// series holds the samples of a row. The i-th samples of both sides were taken
// next to each other.
type series struct {
	Samples [2][]float64
	Block   int // samples in a row that come from one instance
}

// add records a sample of a row, in the row's unit.
func (b *bench) add(name string, side, block int, value float64) {
	s := b.found[name]
	if s == nil {
		s = &series{Block: block}
		b.found[name] = s
	}
	s.Samples[side] = append(s.Samples[side], value)
}

// alternate measures each side n times, and lets the other one go first each time.
func (b *bench) alternate(n int, measure func(side int) error) error {
	for i := range n {
		for _, side := range []int{i % 2, 1 - i%2} {
			if err := measure(side); err != nil {
				return err
			}
		}
	}
	return nil
}

// few returns the number of repetitions: less of them with -quick.
func (b *bench) few(usual, quick int) int {
	if b.opts.quick {
		return quick
	}
	return usual
}

// close removes the bed, and says what the runtimes have left in it.
func (b *bench) close() error {
	err := b.bed.Close()
	if b.meter != nil {
		err = errors.Join(err, b.meter.close())
	}
	if b.restore != nil {
		err = errors.Join(err, b.restore())
	}
	return errors.Join(err, os.RemoveAll(b.bin))
}

// A result is a row with what was measured.
type result struct {
	row
	series
	comparison
}

// results relates the samples of all rows that have some.
func (b *bench) results() map[string]result {
	all := map[string]result{}
	for _, g := range groups {
		for _, r := range g.Rows {
			if s := b.found[r.Name]; s != nil {
				all[r.Name] = result{r, *s, compare(s.Samples[0], s.Samples[1], s.Block)}
			}
		}
	}
	return all
}
