package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// The styles of a terminal (ECMA-48, "SGR").
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "36"
)

// ink paints and wraps for one output.
type ink struct {
	w      io.Writer
	colour bool
	width  int
}

// ink finds out what the output can show.
func (a *app) ink() (ink, error) {
	i := ink{w: a.out, width: 80}
	f, _ := a.out.(*os.File)
	terminal := false
	if f != nil {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
			terminal = true
			if size.Col >= 40 {
				i.width = min(int(size.Col), 120)
			}
		}
	}
	switch a.color {
	case "always":
		i.colour = true
	case "never":
	case "auto":
		i.colour = terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	default:
		return i, fmt.Errorf("--color is auto, always or never, not %q", a.color)
	}
	return i, nil
}

// paint gives a text a style.
func (i ink) paint(style, text string) string {
	if !i.colour || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// printf prints.
func (i ink) printf(format string, args ...any) { fmt.Fprintf(i.w, format, args...) }

// para prints a text that begins with a word in the margin, wrapped and indented.
func (i ink) para(indent int, margin, style, text string) {
	lines := wrap(text, i.width-indent-width(margin))
	for n, line := range lines {
		if n > 0 {
			margin = strings.Repeat(" ", width(margin))
		}
		i.printf("%*s%s%s\n", indent, "", i.paint(faint, margin), i.paint(style, line))
	}
}

// cell is a text in a table.
type cell struct{ text, style string }

func plain(text string) cell { return cell{text: text} }

// table prints rows in columns, which are as wide as their widest text; the last one
// takes what is left of the line, and is wrapped. A first row without style is the head.
func (i ink) table(rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for c, cell := range row {
			if c == len(widths) {
				widths = append(widths, 0)
			}
			widths[c] = max(widths[c], width(cell.text))
		}
	}
	for _, row := range rows {
		left := 0
		var line strings.Builder
		for c, cell := range row[:len(row)-1] {
			line.WriteString(i.paint(cell.style, cell.text) + strings.Repeat(" ", widths[c]-width(cell.text)+2))
			left += widths[c] + 2
		}
		last := row[len(row)-1]
		for n, text := range wrap(last.text, max(20, i.width-left)) {
			if n > 0 {
				line.Reset()
				line.WriteString(strings.Repeat(" ", left))
			}
			i.printf("%s\n", strings.TrimRight(line.String()+i.paint(last.style, text), " "))
		}
	}
}

// head is a row of titles.
func head(titles ...string) []cell {
	row := make([]cell, len(titles))
	for i, t := range titles {
		row[i] = cell{t, bold}
	}
	return row
}

// wrap breaks a text between words; a word that is too long stays whole. There is
// always one line.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && width(line)+1+width(word) > n {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func width(s string) int { return utf8.RuneCountInString(s) }

// printable makes what others wrote safe to show: no control characters, which could
// move the cursor over what stands there.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) { // controls, and marks that turn the direction
			return '·'
		}
		return r
	}, s)
}
