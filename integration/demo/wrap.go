package main

import (
	"strings"
	"unicode/utf8"
)

// fill breaks text between words into lines of at most n columns.
func fill(text string, n int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+size > n:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += size
	}
	b.WriteByte('\n')
	return b.String()
}

// prefix puts p in front of every line.
func prefix(text, p string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(p + line)
	}
	return b.String()
}
