package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
)

// patience is how long containerd and the shims may take to tidy up.
const patience = 30 * time.Second

// leftovers is what many containers have left behind.
type leftovers struct {
	Cycles      int            `json:"cycles"`
	Kinds       map[string]int `json:"kinds"` // none of a kind: no entry
	Lines       []string       `json:"lines,omitempty"`
	Descriptors int            `json:"descriptors"` // more than before, of containerd
}

// count is the number of things that were left.
func (l leftovers) count() int { return len(l.Lines) + max(0, l.Descriptors) }

// measureCycles creates and deletes containers of the second side one after the
// other, and looks for what is left.
func measureCycles(ctx context.Context, b *bench, _ []row) error {
	const warm = 8
	if err := b.cycle(ctx, warm); err != nil {
		return err
	}
	if left := b.bed.Leftovers(patience); len(left) > 0 {
		return fmt.Errorf("left behind before the cycles: %s", strings.Join(left, "; "))
	}
	before, err := b.descriptors()
	if err != nil {
		return err
	}
	n := b.few(200, 20)
	if err := b.cycle(ctx, n); err != nil {
		return err
	}
	lines := b.bed.Leftovers(patience)
	l := &leftovers{Cycles: n, Lines: lines, Kinds: countKinds(lines)}
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		after, err := b.descriptors()
		if err != nil {
			return err
		}
		if l.Descriptors = after - before; l.Descriptors <= 0 || time.Since(start) > patience {
			break
		}
	}
	b.left = l
	if l.count() > 0 {
		return fmt.Errorf("left behind after %d containers: %s; %d descriptors of containerd", n, strings.Join(lines, "; "), l.Descriptors)
	}
	return nil
}

// descriptors is the number of containerd's, the lowest of a few looks: each of its
// clients has some for a moment.
func (b *bench) descriptors() (int, error) {
	lowest := 0
	for i := range 5 {
		n, err := b.bed.Descriptors()
		if err != nil {
			return 0, err
		}
		if i == 0 || n < lowest {
			lowest = n
		}
		time.Sleep(20 * time.Millisecond)
	}
	return lowest, nil
}

// cycle creates and deletes n containers. Every fourth is deleted before it runs.
func (b *bench) cycle(ctx context.Context, n int) error {
	for i := range n {
		c := testbed.Container{Runtime: b.sides[1].Runtime, Image: imageName}
		if i%4 == 3 {
			t, err := b.bed.Create(ctx, c)
			if err != nil {
				return err
			}
			if err := t.Delete(ctx); err != nil {
				return err
			}
			continue
		}
		r, err := b.bed.Run(ctx, c)
		if err != nil {
			return err
		}
		if r.Code != 0 {
			return fmt.Errorf("true ended with status %d: %s", r.Code, r.Stderr)
		}
	}
	return nil
}

// countKinds counts lines of testbed's by what they name, which stands before the
// path or the process ID.
func countKinds(lines []string) map[string]int {
	kinds := map[string]int{}
	for _, line := range lines {
		kind, _, _ := strings.Cut(line, "/")
		if strings.HasPrefix(line, "process ") {
			kind = "process"
		}
		kinds[strings.TrimSpace(kind)]++
	}
	return kinds
}
