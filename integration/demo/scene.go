package main

import (
	"context"
	"fmt"
	"time"
)

// scenes are played in this order.
var scenes = []scene{
	root, uptime, itself, readOnly, owners, privileged, hostNamespaces, restricted, nothingLeft,
}

// scene is one thing to see: lines that run under both runtimes.
type scene struct {
	title    string
	promises string // their numbers, as in docs/threat-model.md
	meaning  string // one sentence

	// alone leaves out runc's turn.
	alone bool
	// script holds the lines that are shown and run, see [parseScript].
	script string
	// before is called before each runtime's turn, nil for nothing.
	before func(b *bed) error
	// after is called while the containers of a turn still live, nil for nothing.
	after func(b *bed, t *turn) error
	// judge reads what came out.
	judge func(runc, eci turn) verdict
}

// turn is what came out of a scene's lines under one runtime.
type turn struct {
	runtime string        // "runc" or "eci"
	out     []output      // one for each line
	took    time.Duration // all lines
	claims  []string      // claims on ranges of host IDs, while its containers lived
	census  map[string]count
}

// verdict is what judge read.
type verdict struct {
	columns []string // nil for runc and eci
	rows    []row
	quote   string // a message worth reading in full
	note    string // added to the meaning
}

// row is one line of a table, as promised or not.
type row struct {
	label   string
	cells   []string
	promise string // what should stand there, if that is not so; else ""
}

// report is a finished scene.
type report struct {
	title, promises string
	lines           []string // as they were run under eci
	verdict
	meaning string
}

// play runs the lines under runc, then under eci, and judges.
func (s scene) play(ctx context.Context, b *bed) (report, error) {
	r := report{
		title: s.title, promises: s.promises, meaning: s.meaning,
		lines: parseScript(s.script, eciRuntime, b.dir),
	}
	var runc turn
	if !s.alone {
		var err error
		if runc, err = s.turn(ctx, b, "runc", parseScript(s.script, runcRuntime, b.dir)); err != nil {
			return r, err
		}
	}
	eci, err := s.turn(ctx, b, "eci", r.lines)
	if err != nil {
		return r, err
	}
	r.verdict = s.judge(runc, eci)
	if r.note != "" {
		r.meaning += " " + r.note
	}
	return r, nil
}

// turn runs lines under one runtime, and deletes what they started.
func (s scene) turn(ctx context.Context, b *bed, runtime string, lines []string) (turn, error) {
	t := turn{runtime: runtime}
	if s.before != nil {
		if err := s.before(b); err != nil {
			return t, err
		}
	}
	begin := time.Now()
	for _, line := range lines {
		out, err := b.sh(ctx, line)
		if err != nil {
			return t, fmt.Errorf("%s: %w", line, err)
		}
		t.out = append(t.out, out)
	}
	t.took = time.Since(begin)
	if s.after != nil {
		if err := s.after(b, &t); err != nil {
			return t, err
		}
	}
	return t, b.clear(ctx)
}

// expect makes a row of what came out under runc and under eci, and holds it
// against the promise.
func expect(label, runc, eci string, ok bool, promise string) row {
	r := row{label: label, cells: []string{runc, eci}}
	if !ok {
		r.promise = promise
	}
	return r
}

// score counts rows.
type score struct{ rows, broken int }

func (s *score) add(r report) {
	for _, row := range r.rows {
		s.rows++
		if row.promise != "" {
			s.broken++
		}
	}
}
