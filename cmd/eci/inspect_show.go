package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// show prints an inspection for people.
func (x inspection) show(i ink) {
	row := func(name, text string) {
		if text != "" {
			i.para(0, fmt.Sprintf("%-10s", name), "", printable(text))
		}
	}
	i.printf("%s\n", i.paint(bold, printable(x.Namespace+"/"+x.Container)))
	row("pod", x.Pod)
	row("mode", string(x.Mode))
	row("host IDs", fmt.Sprintf("%s, user namespace %s", x.ids, nonEmpty(x.UserNS)))
	if x.Started != nil {
		row("process", fmt.Sprintf("%d, for %s", x.Pid, span(time.Since(*x.Started))))
	}
	if s := x.Shim; s != nil {
		text := fmt.Sprintf("%d, %s of processor time, %s resident", s.Pid, s.CPU.Round(10*time.Millisecond), size(s.Resident))
		if s.Group != x.Container {
			text += ", of the group " + shorten(s.Group)
		}
		if s.Replaced {
			text += "; the binary was replaced since"
		}
		row("shim", text)
	}
	if len(x.Brokers) > 0 {
		var pids []string
		for _, pid := range x.Brokers {
			pids = append(pids, strconv.Itoa(pid))
		}
		row("brokers", strings.Join(pids, ", "))
	}
	if u := x.Usage; u != nil {
		row("uses", fmt.Sprintf("%s of processor time, %s of memory%s, %d processes%s", u.CPU.Round(10*time.Millisecond), size(u.Memory), of(u.MemoryMax, size), u.Pids, of(u.PidsMax, func(n uint64) string { return strconv.FormatUint(n, 10) })))
	}
	row("bundle", x.Bundle)
	if len(x.Layers) > 0 {
		row("layers", fmt.Sprintf("%d, upper %s", len(x.Layers), x.Layers[0]))
	}
	for _, rule := range slices.Sorted(maps.Keys(x.Modes)) {
		row("rule", rule+" is not enforced: "+x.Modes[rule])
	}
	if len(x.Mounts) > 0 {
		i.printf("\n")
		rows := [][]cell{head("MOUNT", "TYPE", "ACCESS", "SOURCE")}
		for _, m := range x.Mounts {
			access := "rw"
			if m.ReadOnly {
				access = "ro"
			}
			rows = append(rows, []cell{plain(printable(m.Target)), plain(printable(m.Type)), plain(access), plain(printable(m.Source))})
		}
		i.table(rows)
	}
	if len(x.Audit) > 0 {
		i.printf("\n")
		for _, l := range x.Audit {
			showLine(i, l)
		}
	}
}

func nonEmpty(s string) string {
	if s == "" {
		return "not there any more"
	}
	return s
}

// of is a limit for people.
func of(limit uint64, text func(uint64) string) string {
	if limit == 0 {
		return ""
	}
	return " of " + text(limit)
}
