package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/eci-runtime/eci/internal/audit"
)

// readLogs hands every line of a log to a function, the oldest first: what log
// rotation has kept, as far as it can hold lines since a time, then the log itself,
// and, if it is followed, what is added until the context ends. It counts the lines
// that it could not read.
func readLogs(ctx context.Context, path string, since time.Time, follow bool, each func([]byte, audit.Line)) (broken int, err error) {
	for _, old := range rotated(path, since) {
		n, err := readFile(old, each)
		if broken += n; err != nil {
			return broken, err
		}
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !follow:
		return broken, nil // nothing was decided yet
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return broken, fmt.Errorf("read the log: %w", err)
	}
	r := &logReader{path: path, each: each}
	if f != nil {
		r.open(f)
	}
	for {
		if err := r.read(); err != nil || !follow {
			r.close()
			return broken + r.broken, err
		}
		select {
		case <-ctx.Done():
			r.close()
			return broken + r.broken, nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// rotated are the older files of a log, the oldest first: its name with something
// behind it. Those that were last written before a time are left out.
func rotated(path string, since time.Time) []string {
	type old struct {
		path string
		last time.Time
	}
	var found []old
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(path))
		if !ok || rest == "" || rest[0] != '.' && rest[0] != '-' {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && !info.ModTime().Before(since) {
			found = append(found, old{filepath.Join(filepath.Dir(path), e.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(found, func(a, b old) int { return cmp.Or(a.last.Compare(b.last), cmp.Compare(b.path, a.path)) })
	paths := make([]string, len(found))
	for i, o := range found {
		paths[i] = o.path
	}
	return paths
}

// readFile reads an older file, which may be compressed.
func readFile(path string, each func([]byte, audit.Line)) (broken int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read the log: %w", err)
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			return 0, fmt.Errorf("read the log: %s: %w", path, err)
		}
	}
	r := &logReader{path: path, each: each, lines: bufio.NewReader(from)}
	err = r.read()
	r.flush()
	return r.broken, err
}

// logReader reads lines from a file that may grow, and be replaced by another.
type logReader struct {
	path   string
	each   func([]byte, audit.Line)
	file   *os.File
	lines  *bufio.Reader
	part   []byte // of a line that is not whole yet
	broken int
}

func (r *logReader) open(f *os.File) { r.file, r.lines = f, bufio.NewReader(f) }

func (r *logReader) close() {
	r.flush()
	if r.file != nil {
		r.file.Close()
	}
}

// read reads what there is, and goes on with the file that has taken this one's place.
func (r *logReader) read() error {
	for {
		if r.lines != nil {
			if err := r.readLines(); err != nil {
				return fmt.Errorf("read the log: %s: %w", r.path, err)
			}
		}
		if r.file == nil && r.lines != nil || !r.replaced() {
			return nil
		}
		f, err := os.Open(r.path)
		if err != nil {
			return nil // it will be there
		}
		r.close()
		r.open(f)
	}
}

func (r *logReader) readLines() error {
	for {
		text, err := r.lines.ReadBytes('\n')
		r.part = append(r.part, text...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.flush()
	}
}

// flush hands over the line that was read so far.
func (r *logReader) flush() {
	text := bytes.TrimSpace(r.part)
	r.part = nil
	if len(text) == 0 {
		return
	}
	l, err := audit.Decode(text)
	if err != nil {
		r.broken++
		return
	}
	r.each(text, l)
}

// replaced tells whether the name leads to another file than the open one.
func (r *logReader) replaced() bool {
	named, err := os.Stat(r.path)
	if err != nil {
		return false
	}
	if r.file == nil {
		return true
	}
	opened, err := r.file.Stat()
	return err == nil && !os.SameFile(named, opened)
}
