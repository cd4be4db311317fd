// Command eci is the administrator's view of the runtime io.containerd.eci.v2: what
// the host lacks, what the policy says and why, which containers run and what was
// refused. It decides by the same functions as the runtime, and changes nothing but
// the file of pinned images and, by install and uninstall, the configuration of engines.
//
// The runtime runs it, too, for what needs gRPC or HTTP (image, broker): its own
// binary links neither.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
)

// The exit codes. The pages of the single commands say when each one comes.
const (
	exitOK    = 0
	exitNo    = 1 // the answer is no: refused, invalid, something is missing
	exitError = 2 // the question could not be answered, or was none
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	code := run(ctx, newApp(os.Stdout, os.Stderr), os.Args[1:])
	stop()
	os.Exit(code)
}

// run is main without the process. An error is one line.
func run(ctx context.Context, a *app, args []string) int {
	root := newRootCommand(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var no *answer
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &no):
		return no.code
	}
	fmt.Fprintln(a.err, "eci: "+strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	return exitError
}

// answer ends a command that has said all there is to say with an exit code.
type answer struct{ code int }

func (a *answer) Error() string { return fmt.Sprintf("exit status %d", a.code) }

// no is the answer of a command whose output says why.
var no = &answer{exitNo}
