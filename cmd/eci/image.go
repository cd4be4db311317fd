package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/engine"
	"github.com/eci-runtime/eci/internal/image"
)

// imagePatience bounds the questions to containerd about one container. A container
// that waits for the answer can wait no longer.
const imagePatience = 10 * time.Second

// newImageCommand is what the runtime executes to learn what a container was made
// from: an image.Query on standard input, a policy.Image on standard output.
func newImageCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "image",
		Short:  "say what a container was made from (run by the runtime)",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), imagePatience)
			defer cancel()
			return a.identify(ctx, cmd.InOrStdin())
		},
	}
}

func (a *app) identify(ctx context.Context, in io.Reader) error {
	var q image.Query
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return fmt.Errorf("read the query: %w", err)
	}
	store, err := engine.DialContainerd(q.Address, q.Namespace)
	if err != nil {
		return err
	}
	defer store.Close()
	found := image.Identify(ctx, q, store)
	if full, err := engine.FullName(found.Name); err == nil {
		found.Name = full
	}
	return json.NewEncoder(a.out).Encode(found)
}
