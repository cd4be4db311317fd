package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	stay := flag.Bool("stay", false, "leave the containerd of the demo running until Enter is pressed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-ctx.Done()
		stop() // the next signal ends the process at once
	}()
	// A reader that has gone (demo | head) must not keep us from cleaning up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := run(ctx, os.Stdout, *stay)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "demo:", err)
	if errors.Is(err, errInterrupted) {
		os.Exit(130)
	}
	os.Exit(1)
}

var (
	// errBroken says that rows were not as promised; the summary counts them.
	errBroken = errors.New("not everything is as promised")
	// errInterrupted says that a signal ended the play.
	errInterrupted = errors.New("interrupted")
)

// run plays all scenes on w. Whatever happens, it leaves nothing on the host.
func run(ctx context.Context, w io.Writer, stay bool) error {
	begin := time.Now()
	ink := ink(isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
	fmt.Fprint(w, ink.dim("Starting a private containerd; making an image from this host's busybox."), "\n")
	b, err := open(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	var total score
	err = perform(ctx, b, w, ink, &total)
	took := time.Since(begin)
	if err == nil && stay {
		err = b.stay(ctx, w, os.Stdin)
	}
	if ctx.Err() != nil {
		fmt.Fprint(w, "\nInterrupted; cleaning up.\n")
	}
	closing := b.close()
	if err != nil {
		return errors.Join(interrupted(ctx, err), closing)
	}
	fmt.Fprint(w, total.summary(took, closing == nil, ink))
	if total.broken > 0 {
		return errors.Join(errBroken, closing)
	}
	return closing
}

// interrupted replaces what a signal has brought about by errInterrupted.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// perform plays the scenes.
func perform(ctx context.Context, b *bed, w io.Writer, ink ink, total *score) error {
	fmt.Fprint(w, b.title(ctx, ink))
	for i, s := range scenes {
		r, err := s.play(ctx, b)
		if err != nil {
			return fmt.Errorf("%q: %w", s.title, err)
		}
		total.add(r)
		if _, err := fmt.Fprint(w, render(i+1, r, ink)); err != nil {
			return err
		}
	}
	return nil
}

// stay leaves the bed to the user until a line comes from in, or ctx ends.
func (b *bed) stay(ctx context.Context, w io.Writer, in io.Reader) error {
	fmt.Fprintf(w, "\n\nThis containerd stays until you press Enter. In another terminal:\n\n   PATH=%s:$PATH\n", b.bin())
	entered := make(chan struct{})
	go func() {
		defer close(entered)
		_, _ = bufio.NewReader(in).ReadString('\n')
	}()
	select {
	case <-entered:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
