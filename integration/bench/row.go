package main

import (
	"fmt"
	"math"
	"strings"
)

// A row is one line of the table. Less is better in all of them.
type row struct {
	Name   string
	Unit   unit
	Target target
	Legend string // what was done, one sentence without a full stop
	Sparse bool   // an operation that has to rest before: few samples, of one operation each
}

// innerPrefix begins the names of rows whose second side is a container in a container.
const innerPrefix = "inner-"

// operation is what the workload calls a row of the data path: inside an inner container
// it does what it does elsewhere.
func (r row) operation() string { return strings.TrimPrefix(r.Name, innerPrefix) }

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

// A target is what a row has to reach: a ratio, or what the second side itself needs.
// The zero value asks for nothing.
type target struct {
	Min, Max float64 // of the ratio
	Most     float64 // of the second side, in the unit of the row
	Over     float64 // of the second side over the first, in the unit of the row
}

func atMost(limit float64) target        { return target{Max: limit} }
func between(least, most float64) target { return target{Min: least, Max: most} }

// within is for what has no like on the first side, or does another thing there.
func within(most float64) target { return target{Most: most} }
func over(most float64) target   { return target{Over: most} }

// show is the target in the unit of its row.
func (t target) show(u unit) string {
	switch {
	case t == target{}:
		return ""
	case t.Most != 0:
		return "≤ " + u.show(t.Most)
	case t.Over != 0:
		return "≤ +" + u.show(t.Over)
	case t.Min == 0:
		return fmt.Sprintf("≤ %.2f", t.Max)
	}
	return fmt.Sprintf("%.2f–%.2f", t.Min, t.Max)
}

// meets tells whether a figure of the second side is within the target, given that of the
// first. A ratio counts as it is printed: with two digits.
func (t target) meets(first, second float64) bool {
	switch {
	case t.Most != 0:
		return second <= t.Most
	case t.Over != 0:
		return second-first <= t.Over
	}
	rounded := math.Round(ratio(second, first)*100) / 100
	return rounded >= t.Min && rounded <= t.Max
}

// verdict is "ok" for samples whose medians meet the target, "(ok)" where only the
// undisturbed ones do, "—" where neither does, and empty without a target.
func (t target) verdict(samples [2][]float64) string {
	switch {
	case t == target{}:
		return ""
	case t.meets(median(samples[0]), median(samples[1])):
		return "ok"
	case t.meets(p20(samples[0]), p20(samples[1])):
		return "(ok)"
	}
	return "—"
}
