package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func newTopCommand(a *app) *cobra.Command {
	var once bool
	var every time.Duration
	var by string
	cmd := &cobra.Command{
		Use:   "top",
		Short: "watch what containers use",
		Long: `top shows processor time, memory and processes of every container of this runtime, and
shows them again after a while, until it is interrupted. What it prints is read from the
containers' cgroups: no daemon is asked, and no container notices.

CPU is the share of one processor since the last look; memory is without the page cache
that nobody has used for a while. With --once, or where the output is no terminal, it
prints one table and ends; so it does with --json, one object for each container.`,
		Example: `  eci top
  eci top --every 5s --sort memory
  eci top --once --json | jq -r '.[] | select(.memoryBytes > 1e9) | .container'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.top(cmd.Context(), once, every, by) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "print one table, and end")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "time between two looks")
	cmd.Flags().StringVar(&by, "sort", "cpu", "order: cpu, memory, pids or name")
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions([]string{"cpu", "memory", "pids", "name"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// load is a row of eci top.
type load struct {
	Namespace string `json:"namespace"`
	Container string `json:"container"`
	Pod       string `json:"pod,omitempty"`
	usage
	// Share is of one processor, since the look before.
	Share float64 `json:"cpuShare"`
}

// orders are how rows can be sorted; those that are equal are by name.
var orders = map[string]func(a, b load) int{
	"cpu":    func(a, b load) int { return cmp.Compare(b.Share, a.Share) },
	"memory": func(a, b load) int { return cmp.Compare(b.Memory, a.Memory) },
	"pids":   func(a, b load) int { return cmp.Compare(b.Pids, a.Pids) },
	"name":   func(a, b load) int { return 0 },
}

func (a *app) top(ctx context.Context, once bool, every time.Duration, by string) error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	order := orders[by]
	if order == nil {
		return fmt.Errorf("--sort is cpu, memory, pids or name, not %q", by)
	}
	if every < 100*time.Millisecond {
		return errors.New("--every is at least 100ms")
	}
	height := a.height()
	live := !once && !a.json && height > 0
	before := map[string]usage{}
	_, last, err := a.loads(nil, 0, order)
	if err != nil {
		return err
	}
	for k, v := range last {
		before[k] = v
	}
	for wait := min(every, time.Second); ; wait = every {
		start := time.Now()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		rows, now, err := a.loads(before, time.Since(start), order)
		if err != nil {
			return err
		}
		before = now
		if !live {
			return a.showLoads(i, rows)
		}
		i.printf("\x1b[H\x1b[2J%s  %d containers\n\n", i.paint(bold, time.Now().Format("15:04:05")), len(rows))
		if err := a.showLoads(i, rows[:min(len(rows), max(1, height-4))]); err != nil {
			return err
		}
	}
}

// height is that of the terminal; 0 if the output is none.
func (a *app) height() int {
	f, ok := a.out.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return max(int(size.Row), 10)
}

// loads looks at all containers; before is what was seen a while ago.
func (a *app) loads(before map[string]usage, while time.Duration, order func(a, b load) int) ([]load, map[string]usage, error) {
	found, err := a.processes()
	if err != nil {
		return nil, nil, err
	}
	rows, now := []load{}, map[string]usage{}
	for _, p := range found {
		u, ok := usageOf(cgroupsOf(p.Bundle))
		if !ok {
			continue
		}
		now[p.Bundle] = u
		l := load{Namespace: p.Namespace, Container: p.Container, Pod: p.Pod, usage: u}
		if was, ok := before[p.Bundle]; ok && while > 0 && u.CPU > was.CPU {
			l.Share = float64(u.CPU-was.CPU) / float64(while)
		}
		rows = append(rows, l)
	}
	slices.SortFunc(rows, func(a, b load) int {
		return cmp.Or(order(a, b), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Container, b.Container))
	})
	return rows, now, nil
}

func (a *app) showLoads(i ink, rows []load) error {
	if a.json {
		return a.printJSON(rows)
	}
	table := [][]cell{head("CONTAINER", "CPU", "MEMORY", "LIMIT", "PIDS", "POD")}
	for _, l := range rows {
		limit, pod := "-", l.Pod
		if l.MemoryMax > 0 {
			limit = size(l.MemoryMax)
		}
		style := ""
		if l.MemoryMax > 0 && l.Memory > l.MemoryMax/10*9 {
			style = yellow
		}
		table = append(table, []cell{
			{printable(l.Namespace + "/" + shorten(l.Container)), bold},
			plain(fmt.Sprintf("%.1f%%", 100*l.Share)),
			{size(l.Memory), style},
			plain(limit), plain(strconv.FormatUint(l.Pids, 10)), plain(printable(cmp.Or(pod, "-"))),
		})
	}
	i.table(table)
	return nil
}
