package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// inspectedMount is a mount that a container sees.
type inspectedMount struct {
	Target   string `json:"target"`
	Type     string `json:"type"`
	Source   string `json:"source"`
	Options  string `json:"options"`
	ReadOnly bool   `json:"readOnly,omitempty"`
	super    string
}

// mountsOf reads proc_pid_mountinfo(5) of a process.
func mountsOf(pid int) []inspectedMount {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return nil
	}
	var out []inspectedMount
	for line := range bytes.Lines(data) {
		left, right, ok := strings.Cut(strings.TrimSpace(string(line)), " - ")
		fields, rest := strings.Fields(left), strings.Fields(right)
		if !ok || len(fields) < 6 || len(rest) < 3 {
			continue
		}
		m := inspectedMount{Target: unescape(fields[4]), Options: fields[5], Type: rest[0], Source: unescape(rest[1]), super: rest[2]}
		m.ReadOnly = m.Options == "ro" || strings.HasPrefix(m.Options, "ro,")
		if root := unescape(fields[3]); root != "/" && m.Type != "cgroup" && m.Type != "cgroup2" {
			m.Source += "[" + root + "]"
		}
		out = append(out, m)
	}
	return out
}

var unescapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func unescape(s string) string { return unescapes.Replace(s) }

// layersOf are the directories of the overlay that is the root file system, the upper one
// first. They have the short names by which the shim has mounted them.
func layersOf(mounts []inspectedMount) []string {
	for _, m := range mounts {
		if m.Target != "/" || m.Type != "overlay" {
			continue
		}
		var upper, lower []string
		for option := range strings.SplitSeq(m.super, ",") {
			key, value, _ := strings.Cut(option, "=")
			switch key {
			case "upperdir":
				upper = []string{value}
			case "lowerdir":
				lower = append(lower, strings.FieldsFunc(value, func(r rune) bool { return r == ':' })...)
			case "lowerdir+", "datadir+":
				lower = append(lower, value)
			}
		}
		return append(upper, lower...)
	}
	return nil
}
