package main

import "strings"

// itself looks at the machine that a container believes to be on.
var itself = scene{
	title:    "The container sees itself",
	promises: "P13 P15",
	meaning: "Files in /proc and /sys, and the system calls that say the same, follow the limits of the container; " +
		"so does a proc that it mounts itself.",
	script: `
ctr run --rm --runtime {runtime} --privileged \
    --memory-limit 67108864 --cpus 1 \
    {image} c \
    sh -c 'grep MemTotal /proc/meminfo; free -k | grep Mem; nproc;
           mkdir /p; mount -t proc proc /p; grep MemTotal /p/meminfo;
           cat /proc/loadavg'
`,
	judge: judgeItself,
}

func judgeItself(runc, eci turn) verdict {
	const kib = "65536"
	second := func(t turn, line int) string {
		fields := strings.Fields(t.out[0].line(line))
		if len(fields) < 2 {
			return "nothing"
		}
		return fields[1]
	}
	var v verdict
	for _, at := range []struct {
		line  int
		label string
	}{{0, "MemTotal"}, {1, "free, by sysinfo(2)"}, {3, "MemTotal of a new proc"}} {
		got := second(eci, at.line)
		v.rows = append(v.rows, expect(at.label, second(runc, at.line)+" kB", got+" kB", got == kib, kib+" kB"))
	}
	cpus := eci.out[0].line(2)
	v.rows = append(v.rows, expect("processors", runc.out[0].line(2), cpus, cpus == "1", "1"))
	load := eci.out[0].line(4)
	v.rows = append(v.rows, expect("/proc/loadavg", runc.out[0].line(4), load, strings.HasPrefix(load, "0.0"), "next to nothing"))
	return v
}
