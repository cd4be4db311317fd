package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/eci-runtime/eci/integration/testbed"
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

func main() {
	opts, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, opts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
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

// run makes a bed, measures or traces in it, and prints what came out.
func run(ctx context.Context, opts options) (err error) {
	if opts.legend {
		printLegend(os.Stdout)
		return nil
	}
	b, err := open(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if opts.trace > 0 {
		return trace(ctx, b, opts.trace)
	}
	machine := observe(b)
	fmt.Println(machine)
	errs := measure(ctx, b)
	machine.finish()
	results := b.results()
	printTable(os.Stdout, b, results)
	if opts.json != "" {
		errs = append(errs, writeJSON(opts.json, b, machine, results, errs))
	}
	return errors.Join(errs...)
}

// measure goes through the table. What does not run does not keep the rest from it.
func measure(ctx context.Context, b *bench) []error {
	var errs []error
	for _, g := range groups {
		rows := g.wanted(b.opts.rows)
		if len(rows) == 0 || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring: %s\n", g.Title)
		if err := g.Measure(ctx, b, rows); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", g.Title, err))
		}
	}
	return append(errs, ctx.Err())
}

// open makes the image, the bed and its meter.
func open(ctx context.Context, opts options) (*bench, error) {
	image, err := benchImage(ctx)
	if err != nil {
		return nil, err
	}
	if opts.nice != 0 {
		if err := raise(opts.nice); err != nil {
			return nil, err
		}
	}
	bin, err := copyPrograms()
	if err != nil {
		return nil, err
	}
	bed, err := testbed.Start(testbed.Options{Tmpfs: opts.tmpfs, Bin: bin})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(bin))
	}
	b := &bench{bed: bed, bin: bin, opts: opts, sides: opts.sides, found: map[string]*series{}}
	if err := b.furnish(ctx, image); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// furnish brings into the bed what the measurements need.
func (b *bench) furnish(ctx context.Context, image testbed.Image) (err error) {
	if b.bed.Programs.Eci == "" && (b.sides[0].Runtime == "eci" || b.sides[1].Runtime == "eci") {
		return errors.New("containerd-shim-eci-v2 is not built: make build")
	}
	if b.meter, err = newMeter(b.bed); err != nil {
		return err
	}
	if err := b.bed.Import(ctx, image); err != nil || b.opts.nice == 0 {
		return err
	}
	return b.favour(ctx)
}
