package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// options are what the flags say.
type options struct {
	pairs  int // of `ctr run`, the rest in proportion
	rows   *regexp.Regexp
	quick  bool
	json   string // file, "" for none
	sides  [2]side
	trace  int // runs to trace instead of measuring
	tmpfs  bool
	nice   int
	legend bool
}

func parse(args []string) (options, error) {
	var o options
	rows, runtimes, aa := "", "", false
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.pairs, "pairs", 0, "alternating `pairs` of `ctr run`; 0 is 40, or 8 with -quick")
	flags.StringVar(&rows, "rows", "", "measure only rows whose names match this regular `expression`")
	flags.BoolVar(&o.quick, "quick", false, "take few samples: seconds instead of minutes")
	flags.StringVar(&o.json, "json", "bench.json", "write everything, samples included, to this `file`; empty for none")
	flags.StringVar(&runtimes, "runtimes", "runc,eci", "compare the second of these `two` with the first; runc, eci, or names like io.containerd.x.v2, for a shim containerd-shim-x-v2")
	flags.BoolVar(&aa, "aa", false, "measure the first runtime against itself: how far ratios stray by chance")
	flags.IntVar(&o.trace, "trace", 0, "trace this many `runs` of each runtime instead of measuring")
	flags.BoolVar(&o.tmpfs, "tmpfs", true, "keep containerd's state, images and containers on a tmpfs; the runtime needs Linux 6.3 for it")
	flags.IntVar(&o.nice, "nice", -20, "nice `value` of everything that is measured and of its groups; 0 leaves them as they are")
	flags.BoolVar(&o.legend, "legend", false, "print what the rows are, and measure nothing")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.rows, err = regexp.Compile(rows); err != nil {
		fmt.Fprintln(os.Stderr, "bench: -rows:", err)
		return o, err
	}
	if o.sides, err = parseSides(runtimes, aa); err != nil {
		fmt.Fprintln(os.Stderr, "bench: -runtimes:", err)
		return o, err
	}
	if o.pairs <= 0 {
		o.pairs = 40
		if o.quick {
			o.pairs = 8
		}
	}
	return o, nil
}

// parseSides reads the flag -runtimes.
func parseSides(runtimes string, same bool) (sides [2]side, err error) {
	a, b, ok := strings.Cut(runtimes, ",")
	if !ok || a == "" || b == "" || strings.Contains(b, ",") {
		return sides, fmt.Errorf("%q is not two names with a comma between them", runtimes)
	}
	label := func(runtime string) string {
		return strings.TrimSuffix(strings.TrimPrefix(runtime, "io.containerd."), ".v2")
	}
	sides = [2]side{{label(a), a}, {label(b), b}}
	if same {
		sides[1] = side{label(a) + " again", a}
	}
	return sides, nil
}
