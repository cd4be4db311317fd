package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/setup"
)

func newUninstallCommand(a *app) *cobra.Command {
	var f installFlags
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "take back what eci install has written",
		Long: `uninstall puts the configuration of containerd and Docker back as it was before eci
install. A file that nobody has touched since gets back every byte that it had; from one
that was changed, only our part is taken out. Where our part itself was edited, nothing is
done at all: put it back, or take it out by hand, and call uninstall again.

It shows what it will change, and asks; then systemd restarts containerd and reloads
Docker. Containers that run go on, and so do the binaries: the package's removal is what
removes them. Engines that have nothing of ours any more refuse to start stopped
containers of this runtime again.`,
		Example: `  eci uninstall --dry-run
  eci uninstall --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.uninstall(cmd.Context(), f, cmd.InOrStdin()) },
	}
	f.paths(cmd)
	return cmd
}

func (a *app) uninstall(ctx context.Context, f installFlags, in io.Reader) error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("uninstall needs root: it changes the configuration of engines")
	}
	unlock, err := lockRecord(f.record)
	if err != nil {
		return err
	}
	defer unlock()
	record, err := setup.ReadRecord(f.record)
	if err != nil {
		return err
	}
	if len(record.Edits) == 0 {
		return fmt.Errorf("nothing is installed: there is no %s", f.record)
	}
	before, after, err := setup.PlanUndo(record)
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if !a.json {
		for n := range before {
			showFile(i, before[n].Path, before[n].Data, after[n].Data)
		}
	}
	if f.dryRun {
		return nil
	}
	if err := a.confirm(i, f, in, "Write this?"); err != nil {
		return err
	}
	p := &plan{edits: record.Edits}
	if err := setup.Undo(f.record); err != nil {
		return err
	}
	engines := p.changed()
	slices.Sort(engines)
	return a.reload(ctx, i, f, engines)
}

// lockName is the name of the lock for a record.
func lockName(record string) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(record))
	return "eci-install-" + hex.EncodeToString(hash.Sum(nil)) + ".lock"
}
