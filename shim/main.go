package shim

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/containerd/containerd/v2/pkg/shim"
)

// Name is the runtime's name as clients of containerd write it. containerd
// derives the name of the binary from its last two parts.
const Name = "io.containerd.eci.v2"

// Version of the runtime, set by the linker.
var Version = "devel"

// Main runs the action that containerd asked for on the command line and ends
// the process when that fails.
//
// "start" is ours, because the server must be born in a mount namespace of its
// own and because each generation of containerd wants another answer; "delete",
// "-info" and the server itself are served by containerd's shim framework.
func Main() {
	args := parseArguments(os.Args[1:])
	switch {
	case args.version:
		fmt.Printf("containerd-shim-eci-v2 (%s)\n  Version:    %s\n  Go version: %s\n", Name, Version, runtime.Version())
		return
	case args.action == "start":
		exitOn(start(args, os.Stdin, os.Stdout))
		return
	case args.action == "" && !args.info:
		registerServer(args)
	}
	shim.RunShim(context.Background(), newManager(args))
}

// exitOn ends the process with one line on stderr, which containerd shows to
// its client.
func exitOn(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s", Name, oneLine(err))
		os.Exit(1)
	}
}

// arguments are the flags that containerd passes to a shim binary, as far as
// this package needs them before the shim framework parses them again.
type arguments struct {
	namespace, id, address string
	debug, version, info   bool
	action                 string // "", "start" or "delete"
}

// parseArguments reads the command line of a shim. A flag that it does not know
// is left to the framework, which prints the usage and ends the process.
func parseArguments(argv []string) arguments {
	var a arguments
	fs := flag.NewFlagSet("containerd-shim-eci-v2", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&a.namespace, "namespace", "", "")
	fs.StringVar(&a.id, "id", "", "")
	fs.StringVar(&a.address, "address", "", "")
	fs.BoolVar(&a.debug, "debug", false, "")
	fs.BoolVar(&a.version, "v", false, "")
	fs.BoolVar(&a.version, "version", false, "")
	fs.BoolVar(&a.info, "info", false, "")
	for _, name := range []string{"socket", "debug-socket", "bundle", "publish-binary"} {
		fs.String(name, "", "")
	}
	if err := fs.Parse(argv); err != nil {
		return arguments{info: true} // let the framework report it
	}
	a.action = fs.Arg(0)
	return a
}
