package main

import "github.com/spf13/cobra"

// newIdleCommand waits to be ended. It is what eci install runs in a container.
func newIdleCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "idle",
		Short:  "wait for SIGTERM",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			<-cmd.Context().Done()
			return nil
		},
	}
}
