package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// timeline says when each step of one run happened, since the client was started.
// A step is the exec or the exit of a process: "runc create", "runc create ends".
type timeline map[string]time.Duration

// runcVerbs are the subcommands that tell one runc from another.
var runcVerbs = []string{"create", "start", "run", "exec", "delete", "kill", "state", "init", "ps", "pause", "resume", "update", "events", "features"}

// processName names a process by its command line: what it is, not which.
func processName(args []string) string {
	if len(args) == 0 || args[0] == "" {
		return ""
	}
	base := path.Base(args[0])
	switch {
	case strings.HasPrefix(base, "containerd-shim-"):
		for _, action := range []string{"start", "delete", "-info"} {
			if slices.Contains(args[1:], action) {
				return "shim " + strings.TrimPrefix(action, "-")
			}
		}
		return "shim server"
	case len(args) > 1 && args[len(args)-1] == "init" && base != "init":
		return "runc init"
	case base == "runc":
		for _, arg := range args[1:] {
			if !slices.Contains(runcVerbs, arg) {
				continue
			}
			if arg == "delete" && slices.Contains(args, "--force") {
				return "runc delete --force"
			}
			return "runc " + arg
		}
	}
	return base
}

// newTimeline follows the descendants of the processes roots through the events
// that came since start. The second process of a name gets " #2".
func newTimeline(events []procEvent, start time.Duration, roots ...int) timeline {
	t := timeline{}
	ours := map[int]bool{}
	for _, pid := range roots {
		ours[pid] = true
	}
	running := map[int]string{}
	seen := map[string]int{}
	// The kernel sends from every processor: the order of arrival is not that of time.
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b procEvent) int { return int(a.At - b.At) })
	for _, e := range events {
		switch {
		case e.Kind == forked && ours[e.Parent]:
			ours[e.Pid] = true
		case e.Kind == execed && ours[e.Pid]:
			name := processName(e.Args)
			if name == "" {
				continue
			}
			if seen[name]++; seen[name] > 1 {
				name = fmt.Sprintf("%s #%d", name, seen[name])
			}
			running[e.Pid] = name
			t[name] = e.At - start
		case e.Kind == exited && running[e.Pid] != "":
			t[running[e.Pid]+" ends"] = e.At - start
		}
	}
	return t
}

// A phase is the time between two steps.
type phase struct{ name, from, to string }

// startPhases follow a `ctr run --rm … true` from end to end. Steps of processes
// that run at the same time are in more than one.
var startPhases = []phase{
	{"ctr and containerd, before the shim", "ctr", "shim start"},
	{"shim start", "shim start", "shim start ends"},
	{"  until its server's exec", "shim start", "shim server"},
	{"server's exec to runc create", "shim server", "runc create"},
	{"runc create", "runc create", "runc create ends"},
	{"  until runc init's exec", "runc create", "runc init"},
	{"server and containerd, until runc start", "runc create ends", "runc start"},
	{"runc start", "runc start", "runc start ends"},
	{"  until the exec of true", "runc start", "true"},
	{"true", "true", "true ends"},
	{"true's end to runc delete", "true ends", "runc delete"},
	{"runc delete", "runc delete", "runc delete ends"},
	{"server and containerd, until shim delete", "runc delete ends", "shim delete"},
	{"shim delete", "shim delete", "shim delete ends"},
	{"  runc delete --force", "runc delete --force", "runc delete --force ends"},
	{"containerd and ctr, after shim delete", "shim delete ends", "ctr ends"},
	{"all of it", "ctr", "ctr ends"},
	{"server's end, after ctr's", "ctr ends", "shim server ends"},
}

// execPhases follow a `ctr task exec … true`.
var execPhases = []phase{
	{"ctr, containerd and server, before runc", "ctr", "runc exec"},
	{"runc exec", "runc exec", "runc exec ends"},
	{"  until runc init's exec", "runc exec", "runc init"},
	{"  runc init, until the exec of true", "runc init", "true"},
	{"true", "true", "true ends"},
	{"true's end to ctr's end", "true ends", "ctr ends"},
	{"all of it", "ctr", "ctr ends"},
}

// spans returns the lengths of a phase in the runs that have both steps, in ns.
func (p phase) spans(runs []timeline) []float64 {
	var spans []float64
	for _, t := range runs {
		from, began := t[p.from]
		to, ended := t[p.to]
		if began && ended {
			spans = append(spans, nano(to-from))
		}
	}
	return spans
}

// times returns when a step happened in the runs that have it, in ns.
func times(runs []timeline, step string) []float64 {
	var at []float64
	for _, t := range runs {
		if v, ok := t[step]; ok {
			at = append(at, nano(v))
		}
	}
	return at
}
