package main

import (
	"fmt"
	"strconv"
	"strings"
)

// uptime shows the container's own clock.
var uptime = scene{
	title:    "Time starts with the container",
	promises: "P12",
	meaning: "The first figure, seconds since start, is the container's own; the kernel does it with a " +
		"time namespace. The second is the idle time of its processors.",
	script: `
ctr run --rm --runtime {runtime} \
    {image} c cat /proc/uptime
`,
	judge: judgeUptime,
}

func judgeUptime(runc, eci turn) verdict {
	up, ok := seconds(eci.out[0].line(0))
	return verdict{rows: []row{
		expect("/proc/uptime", runc.out[0].line(0), eci.out[0].line(0), ok && up <= eci.took.Seconds(),
			fmt.Sprintf("at most the %.2f seconds that it took", eci.took.Seconds())),
	}}
}

// seconds reads the first figure of /proc/uptime.
func seconds(line string) (float64, bool) {
	first, _, _ := strings.Cut(line, " ")
	f, err := strconv.ParseFloat(first, 64)
	return f, err == nil && f >= 0
}
