package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// state is how well something is.
type state string

const (
	fine    state = "ok"
	worse   state = "warning" // containers start, but less well
	missing state = "missing" // no container starts, or isolation has a hole
)

// finding is a row of eci check.
type finding struct {
	// What was looked at.
	What string `json:"what"`

	State state `json:"state"`

	// Found is what there is.
	Found string `json:"found"`

	// Cost is what does not work for that reason, and Mend what to do about it; both
	// only where the state is not fine.
	Cost string `json:"cost,omitempty"`
	Mend string `json:"mend,omitempty"`
}

// probes are what is looked at, in order. Each gives one finding or several.
var probes = []func(context.Context, *bench) []finding{
	probeKernel, probeUserNamespaces, probeTimeNamespaces, probeIDMappedMounts, probeSeccomp, probeFUSE, probeCgroups,
	probeContainerd, probeBinaries, probeRunc,
	probeConfiguration, probeAudit, probePins,
	probePool, probeSubIDs, probeUsernsRemap,
}

func newCheckCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "find out whether this host can run isolated containers",
		Long: `check looks at the kernel, containerd, runc, the configuration and the pool of host
IDs, by trying rather than by version numbers where that is possible. For what is
missing it says what does not work without it, and how to mend it.

It reads, makes and drops namespaces and mounts that nobody else sees, and changes
nothing. What it finds wrong with a warning costs something; what is missing keeps
containers from starting. The exit status is 0 if nothing is missing, and 1 if
something is.`,
		Example: `  eci check
  eci check --json | jq -r '.[] | select(.state != "ok") | .mend'
  eci check --address /run/docker/containerd/containerd.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context()) },
	}
}

func (a *app) check(ctx context.Context) error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("check needs root: it tries what the runtime does")
	}
	b := newBench(a)
	var found []finding
	for _, probe := range probes {
		found = append(found, probe(ctx, b)...)
	}
	if a.json {
		err = a.printJSON(found)
	} else {
		showFindings(i, found)
	}
	for _, f := range found {
		if f.State == missing && err == nil {
			return no
		}
	}
	return err
}

// marks are how states look.
var marks = map[state]cell{fine: {"ok", green}, worse: {"warn", yellow}, missing: {"FAIL", red}}

func showFindings(i ink, found []finding) {
	widest := 0
	for _, f := range found {
		widest = max(widest, width(f.What))
	}
	count := map[state]int{}
	for _, f := range found {
		count[f.State]++
		mark := marks[f.State]
		margin := f.What + strings.Repeat(" ", widest-width(f.What)+2)
		lines := wrap(f.Found, max(20, i.width-6-width(margin)))
		for n, line := range lines {
			if n > 0 {
				i.printf("%*s%s\n", 6+width(margin), "", line)
				continue
			}
			i.printf("%s%*s%s%s\n", i.paint(mark.style, mark.text), 6-width(mark.text), "", i.paint(bold, margin), line)
		}
		if f.State != fine {
			i.para(6, "costs: ", mark.style, f.Cost)
			i.para(6, "mend:  ", "", f.Mend)
		}
	}
	switch {
	case count[missing] > 0:
		i.printf("\n%s\n", i.paint(red, "Containers cannot be run, or not safely, until what is marked FAIL is mended."))
	case count[worse] > 0:
		i.printf("\n%s\n", i.paint(yellow, "Containers can be run; what is marked warn costs something."))
	default:
		i.printf("\n%s\n", i.paint(green, "Everything is there."))
	}
}
