package main

import (
	"fmt"
	"math"
)

// A row is one line of the table. Less is better in all of them.
type row struct {
	Name   string
	Unit   unit
	Target target
	Legend string // what was done, one sentence without a full stop
}

// A unit names what the samples of a row count, and how a figure is shown.
type unit string

const (
	nanoseconds unit = "ns"
	kibibytes   unit = "KiB"
)

// show formats a figure with three significant digits, in the multiple of the unit
// that suits it.
func (u unit) show(v float64) string {
	steps := []string{"ns", "µs", "ms", "s"}
	by := 1000.0
	if u == kibibytes {
		steps, by = []string{"KiB", "MiB", "GiB"}, 1024
	}
	if math.IsNaN(v) {
		return "–"
	}
	i := 0
	for ; i < len(steps)-1 && v >= 0.9995*by; i++ {
		v /= by
	}
	digits := 2
	switch {
	case v >= 99.95:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, v, steps[i])
}

// A target is what a ratio has to be. The zero value asks for nothing.
type target struct{ Min, Max float64 }

func atMost(limit float64) target        { return target{Max: limit} }
func between(least, most float64) target { return target{Min: least, Max: most} }

func (t target) String() string {
	switch {
	case t == target{}:
		return ""
	case t.Min == 0:
		return fmt.Sprintf("≤ %.2f", t.Max)
	}
	return fmt.Sprintf("%.2f–%.2f", t.Min, t.Max)
}

// meets tells whether a ratio is within the target, as it is printed: with two
// digits.
func (t target) meets(ratio float64) bool {
	rounded := math.Round(ratio*100) / 100
	return rounded >= t.Min && rounded <= t.Max
}

// verdict is "ok" for a comparison that meets the target, "(ok)" where only the
// undisturbed samples do, "—" where neither does, and empty without a target.
func (t target) verdict(c comparison) string {
	switch {
	case t == target{}:
		return ""
	case t.meets(c.Median):
		return "ok"
	case t.meets(c.P20):
		return "(ok)"
	}
	return "—"
}
