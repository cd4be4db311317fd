package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/internal/broker"
	"github.com/eci-runtime/eci/policy"
)

// The descriptors that a broker inherits.
const (
	brokerListener = 3
	brokerEngine   = 4
)

// brokerFiles is how many files a broker may have open, and so how many connections.
const brokerFiles = 1024

// newBrokerCommand is what the runtime executes beside a container that has an
// engine's socket. It ends when its standard input does, which is when the shim ends.
func newBrokerCommand(a *app) *cobra.Command {
	var container, commands, auditing string
	cmd := &cobra.Command{
		Use:    "broker",
		Short:  "stand between a container and an engine (run by the runtime)",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var log brokerAudit
			if err := json.Unmarshal([]byte(auditing), &log); err != nil {
				return fmt.Errorf("read where to log: %w", err)
			}
			cfg := broker.Config{
				Listener: os.NewFile(brokerListener, "the container's socket"),
				Engine:   os.NewFile(brokerEngine, "the engine's socket"),
				Refused: func(_, why string) {
					fmt.Fprintf(a.err, "eci broker: container %q: %s\n", container, why)
					if err := log.write(why); err != nil {
						fmt.Fprintf(a.err, "eci broker: container %q: a refusal is not in the audit log: %v\n", container, err)
					}
				},
			}
			if err := json.Unmarshal([]byte(commands), &cfg.Commands); err != nil {
				return fmt.Errorf("read the commands: %w", err)
			}
			return a.serve(cmd.Context(), cfg, cmd.InOrStdin())
		},
	}
	cmd.Flags().StringVar(&container, "container", "", "its ID, for messages")
	cmd.Flags().StringVar(&commands, "commands", "{}", "policy.Commands as JSON")
	cmd.Flags().StringVar(&auditing, "audit", "{}", "the log and the subject as JSON")
	return cmd
}

// brokerAudit is where a broker writes its refusals, and about whom.
type brokerAudit struct {
	Audit   policy.Audit
	Subject audit.Subject
}

func (b brokerAudit) write(why string) error {
	b.Subject.Action = audit.Command
	refusal := &policy.Violation{Rule: "engine-socket", Field: "command", Reason: why}
	return audit.Log{Audit: b.Audit}.Write(audit.Denial(b.Subject, "", refusal))
}

// serve serves until alive ends. A byte on standard output says that it begins.
func (a *app) serve(ctx context.Context, cfg broker.Config, alive io.Reader) error {
	limit := unix.Rlimit{Cur: brokerFiles, Max: brokerFiles}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit the open files: %w", err)
	}
	for _, f := range []*os.File{cfg.Listener, cfg.Engine} {
		unix.CloseOnExec(int(f.Fd()))
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, alive)
	}()
	if _, err := a.out.Write([]byte{'\n'}); err != nil {
		return fmt.Errorf("tell the shim: %w", err)
	}
	return broker.Serve(ctx, cfg)
}
