package main

import (
	"math"
	"slices"
	"testing"
)

func TestQuantile(t *testing.T) {
	for _, tt := range []struct {
		samples []float64
		q, want float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{7}, 0.2, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{5, 4, 3, 2, 1, 0}, 0.2, 1},
		{[]float64{1, 2}, 0, 1},
		{[]float64{1, 2}, 1, 2},
		{[]float64{10, 20}, 0.25, 12.5},
	} {
		if got := quantile(tt.samples, tt.q); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.samples, tt.q, got, tt.want)
		}
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("quantile of nothing = %v, want NaN", got)
	}
	samples := []float64{3, 1, 2}
	if median(samples); !slices.Equal(samples, []float64{3, 1, 2}) {
		t.Errorf("median has sorted its argument: %v", samples)
	}
}

func TestCompare(t *testing.T) {
	a := []float64{10, 11, 12, 10, 11, 12, 10, 500}
	double := make([]float64, len(a))
	for i := range a {
		double[i] = 2 * a[i]
	}
	for _, tt := range []struct {
		name        string
		a, b        []float64
		block       int
		median, p20 float64
		low, high   float64 // the interval lies between these
	}{
		{"itself", a, a, 1, 1, 1, 1, 1},
		{"twice", a, double, 1, 2, 2, 1.6, 2.4},
		{"one block is no spread", a, double, 8, 2, 2, 2, 2},
		{"blocks", a, double, 2, 2, 2, 1.6, 2.4},
		{"one stall does not count", []float64{10, 10, 10, 10, 10}, []float64{11, 11, 900, 11, 11}, 1, 1.1, 1.1, 1.1, 90},
		{"zeros", []float64{0, 0}, []float64{0, 0}, 1, 1, 1, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := compare(tt.a, tt.b, tt.block)
			if math.Abs(got.Median-tt.median) > 1e-9 || math.Abs(got.P20-tt.p20) > 1e-9 {
				t.Errorf("ratios %v, %v, want %v, %v", got.Median, got.P20, tt.median, tt.p20)
			}
			if got.Low < tt.low-1e-9 || got.High > tt.high+1e-9 || got.Low > got.Median || got.High < got.Median {
				t.Errorf("interval %v–%v around %v, want it within %v–%v", got.Low, got.High, got.Median, tt.low, tt.high)
			}
			if again := compare(tt.a, tt.b, tt.block); again != got {
				t.Errorf("a second look gives %v, not %v", again, got)
			}
		})
	}
	if got := compare(nil, nil, 1); !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
		t.Errorf("an interval of nothing: %v", got)
	}
}
