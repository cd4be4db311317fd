package shim

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestFitOOMScore(t *testing.T) {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	lower := own - 1
	if own == -1000 {
		lower = own
	}
	wantLower := own
	if hasSysResource() {
		wantLower = lower
	}
	for _, c := range []struct {
		name      string
		ask, want int
	}{
		{"higher", own + 1, own + 1}, {"its own", own, own}, {"lower", lower, wantLower},
	} {
		ask := c.ask
		process := &specs.Process{OOMScoreAdj: &ask}
		fitOOMScore(t.Context(), process)
		if *process.OOMScoreAdj != c.want {
			t.Errorf("%s: %d became %d, want %d", c.name, c.ask, *process.OOMScoreAdj, c.want)
		}
	}
	fitOOMScore(t.Context(), nil)
	fitOOMScore(t.Context(), &specs.Process{})
}
