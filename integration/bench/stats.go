package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// quantile returns the value below which the fraction q of the samples lies,
// interpolated between neighbours; NaN if there are none.
func quantile(samples []float64, q float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(samples))
	at := q * float64(len(s)-1)
	low := int(at)
	high := min(low+1, len(s)-1)
	return s[low] + (s[high]-s[low])*(at-float64(low))
}

func median(samples []float64) float64 { return quantile(samples, 0.5) }

// p20 is the time that one run in five stays below: what an operation takes while
// nothing disturbs it.
func p20(samples []float64) float64 { return quantile(samples, 0.2) }

// A comparison is b in relation to a.
type comparison struct {
	Median float64 `json:"median"` // ratio of the medians
	P20    float64 `json:"p20"`    // ratio of the 20th percentiles
	// Low and High bound the ratio of the medians: 95 of 100 repetitions of the
	// measurement would give a ratio between them, as far as the samples tell.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// resamples is how often compare draws new samples from those it was given.
const resamples = 1000

// compare relates b to a. a[i] and b[i] were taken next to each other; block
// samples in a row are one instance of both (the same pair of containers) and are
// drawn together, since what is peculiar to an instance is in all of them.
func compare(a, b []float64, block int) comparison {
	c := comparison{Median: ratio(median(b), median(a)), P20: ratio(p20(b), p20(a))}
	c.Low, c.High = interval(a, b, block)
	return c
}

// interval is the bootstrap's percentile interval of the ratio of medians. It
// draws the same numbers for the same samples.
func interval(a, b []float64, block int) (low, high float64) {
	n := min(len(a), len(b))
	if block < 1 || n < block {
		return math.NaN(), math.NaN()
	}
	random := rand.New(rand.NewPCG(20, 95))
	ratios := make([]float64, 0, resamples)
	da, db := make([]float64, 0, n), make([]float64, 0, n)
	for range resamples {
		da, db = da[:0], db[:0]
		for range n / block {
			i := random.IntN(n/block) * block
			da, db = append(da, a[i:i+block]...), append(db, b[i:i+block]...)
		}
		ratios = append(ratios, ratio(median(db), median(da)))
	}
	return quantile(ratios, 0.025), quantile(ratios, 0.975)
}

// ratio is b/a; 1 for two zeros, which are equal.
func ratio(b, a float64) float64 {
	if a == b {
		return 1
	}
	return b / a
}
