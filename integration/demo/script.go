package main

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	eciRuntime  = "io.containerd.eci.v2"
	runcRuntime = "io.containerd.runc.v2"

	// imageName is the name under which Docker Hub has the same program, so that
	// the lines work on any host after `ctr image pull`.
	imageName = "docker.io/library/busybox:latest"
)

// parseScript splits a script into its lines. One that is too long for the page
// is continued on lines that begin with blanks, or are the end of a loop. In braces stand
// {runtime}, {image}, {dir} for the demo's directory, and {tick} (see
// [clockTick]).
func parseScript(script, runtime, dir string) []string {
	fill := strings.NewReplacer("{runtime}", runtime, "{image}", imageName, "{dir}", dir,
		"{tick}", strconv.FormatInt(clockTick(), 10))
	var all []string
	for line := range strings.Lines(fill.Replace(strings.TrimSpace(script))) {
		line = strings.TrimRight(line, "\n")
		if len(all) > 0 && (strings.HasPrefix(line, " ") || line == "done") {
			all[len(all)-1] += "\n" + line
		} else {
			all = append(all, line)
		}
	}
	return all
}

// clockTick is how far the host's clock moves per timer tick, in microseconds:
// a value to which the clock can be set without any effect; adjtimex(2).
func clockTick() int64 {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return 10000
	}
	return t.Tick
}
