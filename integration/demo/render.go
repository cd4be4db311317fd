package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	width  = 94 // columns of everything but a word that is longer
	indent = "   "
	gap    = 3 // columns between those of a table

	cellWidth = 32 // of a cell at most; what is longer is broken
)

// renderTitle opens the play.
func renderTitle(kernel, containerd, runc string, ink ink) string {
	var b strings.Builder
	head, versions := "eci, beside plain runc", fmt.Sprintf("Linux %s, %s, %s", kernel, containerd, runc)
	b.WriteString("\n" + ink.bold(head) + apart(head, versions) + ink.dim(versions) + "\n\n")
	b.WriteString(fill("Each line behind a $ runs twice: under "+runcRuntime+", then, as shown, under "+eciRuntime+
		". None would harm this host if isolation failed.", width))
	return b.String()
}

// render lays out one scene.
func render(number int, r report, ink ink) string {
	var b strings.Builder
	head := fmt.Sprintf("%d  %s", number, r.title)
	b.WriteString("\n\n" + ink.bold(head) + apart(head, r.promises) + ink.dim(r.promises) + "\n\n")
	for _, line := range r.lines {
		b.WriteString(ink.dim(prefix("$ "+line+"\n", indent)))
	}
	b.WriteString("\n" + table(r, ink) + "\n")
	b.WriteString(prefix(fill(r.meaning, width-len(indent)), indent))
	if r.quote != "" {
		b.WriteString("\n" + prefix(fill(r.quote, width-2*len(indent)), indent+indent))
	}
	return b.String()
}

// table lays out the rows. A row that is not as promised says so below itself.
func table(r report, ink ink) string {
	columns := r.columns
	if columns == nil {
		columns = []string{"runc", "eci"}
	}
	label, cell := 0, make([]int, len(columns))
	for i, c := range columns {
		cell[i] = utf8.RuneCountInString(c)
	}
	for _, row := range r.rows {
		label = max(label, utf8.RuneCountInString(row.label))
		for i, c := range row.cells {
			cell[i] = max(cell[i], utf8.RuneCountInString(c))
		}
	}
	for i := range cell {
		cell[i] = min(cell[i], cellWidth)
	}
	var b strings.Builder
	b.WriteString(ink.dim(tableRow(label, cell, "", columns)))
	for _, row := range r.rows {
		text := tableRow(label, cell, row.label, row.cells)
		if row.promise != "" {
			text = ink.bad(text + indent + pad("", label+gap) + "NOT AS PROMISED: " + row.promise + "\n")
		}
		b.WriteString(text)
	}
	return b.String()
}

// tableRow lays out one row; a cell that is too wide goes on below itself.
func tableRow(label int, cell []int, first string, cells []string) string {
	lines := []string{indent + pad(first, label)}
	for i, c := range cells {
		at := utf8.RuneCountInString(lines[0])
		for j, part := range strings.Split(strings.TrimSuffix(fill(c, cell[i]), "\n"), "\n") {
			if j == len(lines) {
				lines = append(lines, pad("", at))
			}
			lines[j] = pad(lines[j], at) + strings.Repeat(" ", gap) + pad(part, cell[i])
		}
		for j := range lines {
			lines[j] = pad(lines[j], at+gap+cell[i])
		}
	}
	for j := range lines {
		lines[j] = strings.TrimRight(lines[j], " ") + "\n"
	}
	return strings.Join(lines, "")
}

// summary ends the play. It says how long the scenes took, and whether
// everything could be removed.
func (s score) summary(took time.Duration, removed bool, ink ink) string {
	end := fmt.Sprintf(" %.1f s.\n", took.Seconds())
	if removed {
		end = " Everything is removed again." + end
	}
	if s.broken == 0 {
		return "\n\n" + ink.good(fmt.Sprintf("%d rows, all as promised.", s.rows)) + end +
			ink.dim("To type the lines yourself: go run ./integration/demo -stay") + "\n"
	}
	return "\n\n" + ink.bad(fmt.Sprintf("%d of %d rows are NOT as promised.", s.broken, s.rows)) + end
}

// apart is the space that puts right at the right margin when left is at the left.
func apart(left, right string) string {
	return strings.Repeat(" ", max(2, width-utf8.RuneCountInString(left)-utf8.RuneCountInString(right)))
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}
