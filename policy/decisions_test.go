package policy_test

import (
	"encoding/json"
	"flag"
	"maps"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

var (
	executions = flag.Uint64("executions", 20_000, "how many specs TestDecisions takes the whole way")
	firstSeed  = flag.Uint64("seed", 1, "the first seed of TestDecisions; with -executions 1, the only one")
)

// TestDecisions is FuzzCheckRewrite without coverage to guide it, and so an order of
// magnitude faster: every seed is a spec of testdata, changed, with a policy and a host
// that are picked for it. Make fuzz-decide runs millions.
func TestDecisions(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // nothing here lives long
	var specs [][]byte
	files, err := filepath.Glob("testdata/*/spec.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no specs: %v", err)
	}
	for _, name := range files {
		copies := 1
		if exists(filepath.Join(filepath.Dir(name), "want.json")) {
			copies = 4 // what is refused before anything was changed says little
		}
		for range copies {
			specs = append(specs, read(t, name))
		}
	}
	start, last := time.Now(), *firstSeed+*executions
	var next atomic.Uint64
	next.Store(*firstSeed)
	workers := make([]*worker, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i := range workers {
		w := newWorker(t, specs)
		workers[i] = w
		all.Go(func() {
			for !t.Failed() {
				first := next.Add(256) - 256
				for seed := first; seed < min(first+256, last); seed++ {
					w.outcomes[decide(t, clone(w.specs[seed%uint64(len(w.specs))]), seed)]++
				}
				if first >= last {
					return
				}
			}
		})
	}
	all.Wait()
	outcomes := map[string]uint64{}
	for _, w := range workers {
		w.unchanged(t)
		for rule, n := range w.outcomes {
			outcomes[rule] += n
		}
	}
	took := time.Since(start)
	t.Logf("%d executions in %v, %.0f a second; passed: %d", *executions, took.Round(time.Millisecond), float64(*executions)/took.Seconds(), outcomes[""])
	for _, rule := range slices.Sorted(maps.Keys(outcomes)) {
		if rule != "" {
			t.Logf("refused by %-18s %d", rule, outcomes[rule])
		}
	}
	if *executions >= 20_000 && outcomes[""] < *executions/20 {
		t.Errorf("only %d of %d specs passed, which says little about what passes", outcomes[""], *executions)
	}
}

// worker has specs of its own: what changes one that it shares with a clone is found
// at the end.
type worker struct {
	specs    []*specs.Spec
	texts    []string
	outcomes map[string]uint64
}

func newWorker(t *testing.T, data [][]byte) *worker {
	w := &worker{outcomes: map[string]uint64{}}
	for _, d := range data {
		spec := new(specs.Spec)
		if err := json.Unmarshal(d, spec); err != nil {
			t.Fatal(err)
		}
		w.specs = append(w.specs, spec)
		w.texts = append(w.texts, marshal(t, spec))
	}
	return w
}

func (w *worker) unchanged(t *testing.T) {
	for i, spec := range w.specs {
		if got := marshal(t, spec); got != w.texts[i] {
			t.Errorf("somebody wrote into what a spec shares with its copies:\n%s\n%s", w.texts[i], got)
		}
	}
}
