package main

import (
	"strings"
	"time"
)

// kinds are what a container may leave on a host, and how the bed's list of
// leftovers names it.
var kinds = []struct{ label, prefix string }{
	{"mounts on the host", "mount "},
	{"processes", "process "},
	{"cgroups", "cgroup "},
	{"sockets", "socket "},
	{"ranges of IDs", "claim "},
	{"other files", ""},
}

// count is how many there are of each kind, by label.
type count map[string]int

func tally(lines []string) count {
	c := count{}
	for _, line := range lines {
		for _, kind := range kinds {
			if strings.HasPrefix(line, kind.prefix) {
				c[kind.label]++
				break
			}
		}
	}
	return c
}

// count remembers what is on the host at this moment.
func (b *bed) count(when string) { b.census[when] = tally(b.Leftovers(0)) }

// await waits until nothing is left, but not for ever.
func (b *bed) await() { b.Leftovers(20 * time.Second) }
