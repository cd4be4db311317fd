package main

import (
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ink colours text for a terminal, or leaves it alone.
type ink bool

func (i ink) bold(s string) string { return i.with("1", s) }
func (i ink) dim(s string) string  { return i.with("2", s) }
func (i ink) good(s string) string { return i.with("32", s) }
func (i ink) bad(s string) string  { return i.with("1;31", s) }

// with sets a graphic rendition of ECMA-48, for each line anew, because pagers
// forget it at the end of one.
func (i ink) with(code, s string) string {
	if !bool(i) || s == "" {
		return s
	}
	const end = "\x1b[0m"
	s = strings.ReplaceAll(s, "\n", end+"\n\x1b["+code+"m")
	s = strings.ReplaceAll("\x1b["+code+"m"+s+end, "\x1b["+code+"m"+end, "")
	return s
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
