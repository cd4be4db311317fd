package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// widths of the table's columns; negative ones are aligned to the left.
var widths = []int{-24, 10, 10, 7, 13, 7, 11, -4}

// line sets cells in columns. It counts characters, where fmt counts bytes.
func line(cells ...string) string {
	var b strings.Builder
	for i, cell := range cells {
		pad := strings.Repeat(" ", max(0, abs(widths[i])-utf8.RuneCountInString(cell)))
		if widths[i] < 0 {
			b.WriteString(cell + pad)
		} else {
			b.WriteString(pad + cell)
		}
		b.WriteString("  ")
	}
	return strings.TrimRight(b.String(), " ")
}

func abs(n int) int { return max(n, -n) }

// printTable prints what was measured.
func printTable(w io.Writer, b *bench, results map[string]result) {
	verdicts := map[string]int{}
	for _, g := range groups {
		lines := groupLines(b, g, results)
		if len(lines) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", line(strings.ToUpper(g.Title), b.sides[0].Label, b.sides[1].Label, "ratio", "95 %", "p20", "target"))
		for _, l := range lines {
			fmt.Fprintln(w, l)
		}
		for _, r := range g.Rows {
			if res, ok := results[r.Name]; ok {
				verdicts[r.Target.verdict(res.Samples)]++
			}
		}
	}
	fmt.Fprintf(w, "\nLess is better. ratio: of medians, and where it lies with 95 %% confidence; p20: ratio of 20th percentiles.\n")
	fmt.Fprintf(w, "%d targets met, %d only by the 20th percentiles (ok), %d missed. What each row is: -legend. How to read this: docs/performance.md.\n",
		verdicts["ok"], verdicts["(ok)"], verdicts["—"])
}

func groupLines(b *bench, g group, results map[string]result) []string {
	var lines []string
	for _, r := range g.Rows {
		if res, ok := results[r.Name]; ok {
			lines = append(lines, resultLine(res))
		}
		if r.Name == "cycles" && b.left != nil {
			lines = append(lines, leftoverLines(*b.left)...)
		}
	}
	return lines
}

func resultLine(r result) string {
	return line(r.Name,
		r.Unit.show(median(r.Samples[0])), r.Unit.show(median(r.Samples[1])),
		number(r.Median), number(r.Low)+"–"+number(r.High), number(r.P20),
		r.Target.show(r.Unit), r.Target.verdict(r.Samples))
}

func number(v float64) string {
	if math.IsNaN(v) {
		return "?"
	}
	return fmt.Sprintf("%.2f", v)
}

// leftoverLines lists the kinds of things that the issue of leaks is about, also
// those of which nothing is left, and then the others.
func leftoverLines(l leftovers) []string {
	verdict := func(n int) string {
		if n > 0 {
			return "—"
		}
		return "ok"
	}
	rest := len(l.Lines)
	var lines []string
	for _, kind := range []string{"mount", "claim", "cgroup", "socket", "process"} {
		n := l.Kinds[kind]
		rest -= n
		lines = append(lines, line(kind+" left", "", fmt.Sprint(n), "", "", "", "0", verdict(n)))
	}
	lines = append(lines, line("descriptors left", "", fmt.Sprint(max(0, l.Descriptors)), "", "", "", "0", verdict(l.Descriptors)))
	return append(lines,
		line("anything else", "", fmt.Sprint(rest), "", "", "", "0", verdict(rest)),
		fmt.Sprintf("  (after %d containers)", l.Cycles))
}

// printLegend says what the rows are.
func printLegend(w io.Writer) {
	for _, g := range groups {
		fmt.Fprintf(w, "%s\n", strings.ToUpper(g.Title))
		for _, r := range g.Rows {
			fmt.Fprintf(w, "  %-24s %s\n", r.Name, r.Legend)
		}
	}
}
