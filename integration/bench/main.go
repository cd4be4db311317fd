package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/eci-runtime/eci/integration/testbed"
)

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
		err := g.Measure(ctx, b, rows)
		if errors.Is(err, testbed.ErrNoImage) {
			fmt.Fprintf(os.Stderr, "  skip: %v\n", err)
			continue
		}
		for _, r := range rows {
			if err == nil && r.Unit != "" && b.found[r.Name] == nil {
				err = fmt.Errorf("no samples of %s", r.Name)
			}
		}
		if err != nil {
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
