package main

import (
	"math"
	"testing"
)

func TestShow(t *testing.T) {
	for _, tt := range []struct {
		unit  unit
		value float64
		want  string
	}{
		{nanoseconds, 0, "0.00 ns"},
		{nanoseconds, 41.23, "41.2 ns"},
		{nanoseconds, 999.4, "999 ns"},
		{nanoseconds, 999.6, "1.00 µs"},
		{nanoseconds, 9.996e3, "10.0 µs"},
		{nanoseconds, 98_765_432, "98.8 ms"},
		{nanoseconds, 99_960_000, "100 ms"},
		{nanoseconds, 1_234_567_890, "1.23 s"},
		{nanoseconds, 4e12, "4000 s"},
		{kibibytes, 512, "512 KiB"},
		{kibibytes, 12 * 1024, "12.0 MiB"},
		{nanoseconds, math.NaN(), "–"},
	} {
		if got := tt.unit.show(tt.value); got != tt.want {
			t.Errorf("%v %s is shown as %q, want %q", tt.value, tt.unit, got, tt.want)
		}
	}
}

func TestTarget(t *testing.T) {
	nan := math.NaN()
	both := func(median, p20 float64) []float64 { return []float64{p20, p20, median, median, median} }
	for _, tt := range []struct {
		target        target
		first, second []float64
		shown         string
		verdict       string
	}{
		{target{}, both(1, 1), both(7, 7), "", ""},
		{atMost(1.1), both(1, 1), both(0.2, 0.2), "≤ 1.10", "ok"},
		{atMost(1.1), both(1, 1), both(1.104, 1.2), "≤ 1.10", "ok"},
		{atMost(1.1), both(1, 1), both(1.2, 1.106), "≤ 1.10", "—"},
		{atMost(1.1), both(1, 1), both(1.106, 1.1), "≤ 1.10", "(ok)"},
		{between(0.97, 1.03), both(1, 1), both(0.966, 0.5), "0.97–1.03", "ok"},
		{between(0.97, 1.03), both(1, 1), both(0.964, 0.5), "0.97–1.03", "—"},
		{between(0.97, 1.03), both(1, 1), both(1.036, 0.5), "0.97–1.03", "—"},
		{between(0.97, 1.03), both(1, 1), both(1.036, 1), "0.97–1.03", "(ok)"},
		{atMost(1.1), both(nan, nan), both(nan, nan), "≤ 1.10", "—"},
		{within(15e3), both(1, 1), both(15e3, 2e3), "≤ 15.0 µs", "ok"},
		{within(15e3), both(1, 1), both(16e3, 15e3), "≤ 15.0 µs", "(ok)"},
		{within(15e3), both(1, 1), both(17e3, 16e3), "≤ 15.0 µs", "—"},
		{over(4e3), both(10e3, 10e3), both(14e3, 14e3), "≤ +4.00 µs", "ok"},
		{over(4e3), both(10e3, 10e3), both(14.1e3, 14.1e3), "≤ +4.00 µs", "—"},
	} {
		if got := tt.target.show(nanoseconds); got != tt.shown {
			t.Errorf("target is shown as %q, want %q", got, tt.shown)
		}
		if got := tt.target.verdict([2][]float64{tt.first, tt.second}); got != tt.verdict {
			t.Errorf("%v, %v against %s: %q, want %q", tt.first, tt.second, tt.shown, got, tt.verdict)
		}
	}
}

func TestGroups(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range groups {
		for _, r := range g.Rows {
			if seen[r.Name] {
				t.Errorf("two rows are called %s", r.Name)
			}
			seen[r.Name] = true
			if r.Legend == "" {
				t.Errorf("row %s has no legend", r.Name)
			}
		}
	}
}

func TestParseSides(t *testing.T) {
	for _, tt := range []struct {
		flag string
		same bool
		want [2]side
	}{
		{"runc,eci", false, [2]side{{"runc", "runc"}, {"eci", "eci"}}},
		{"runc,eci", true, [2]side{{"runc", "runc"}, {"runc again", "runc"}}},
		{"eci,io.containerd.x.v2", false, [2]side{{"eci", "eci"}, {"x", "io.containerd.x.v2"}}},
	} {
		if got, err := parseSides(tt.flag, tt.same); err != nil || got != tt.want {
			t.Errorf("%s: got %v, %v, want %v", tt.flag, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "runc", "runc,", ",eci", "a,b,c"} {
		if got, err := parseSides(bad, false); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}
