package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/containerd/containerd/v2/client"
	"github.com/spf13/cobra"
)

// app is what the commands share: where they write, and the flags of the root.
type app struct {
	out, err io.Writer

	address   string // containerd's socket
	namespace string // of containerd; empty: the command's own choice
	config    string // the configuration's main file; empty: the runtime's
	json      bool
	color     string // "auto", "always" or "never"
}

func newApp(out, err io.Writer) *app { return &app{out: out, err: err} }

// newRootCommand is the tree of commands.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "eci",
		Short: "look at containers of io.containerd.eci.v2, and at the policy that isolates them",
		Long: `eci shows an administrator what the runtime io.containerd.eci.v2 does, and why.

Every command prints for people; --json prints for programs. The exit status is 0 if
the answer is yes (nothing is missing, valid, would start), 1 if it is no, and 2 if
there is none: a wrong flag, a file that cannot be read, no containerd.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.address, "address", "a", defaultAddress(), "socket of containerd ($CONTAINERD_ADDRESS)")
	flags.StringVarP(&a.namespace, "namespace", "n", os.Getenv("CONTAINERD_NAMESPACE"), "namespace of containerd ($CONTAINERD_NAMESPACE)")
	flags.StringVar(&a.config, "config", "", "main file of the configuration ($ECI_CONFIG, else /etc/eci/config.toml)")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.StringVar(&a.color, "color", "auto", "colours: auto, always or never ($NO_COLOR)")
	root.AddCommand(commands(a)...)
	return root
}

func defaultAddress() string {
	if address := os.Getenv("CONTAINERD_ADDRESS"); address != "" {
		return address
	}
	return "/run/containerd/containerd.sock"
}

// connect opens containerd's API.
func (a *app) connect(ctx context.Context) (*client.Client, error) {
	c, err := client.New(a.address)
	if err != nil {
		return nil, fmt.Errorf("connect to containerd: %w", err)
	}
	return c, nil
}
