package main

import (
	"fmt"
	"slices"
)

// privileged tries what only root of the host may do. Each trial would change
// nothing: busybox is no kernel module, and the two values are there already.
var privileged = scene{
	title:    "--privileged, on a leash",
	promises: "P03",
	meaning:  "It holds every capability, over what is its own: to the host's kernel and hardware it is a user like any other.",
	script: `
ctr run -d --privileged --runtime {runtime} \
    {image} c sleep 600
ctr task exec --exec-id 1 c insmod /bin/busybox
ctr task exec --exec-id 2 c adjtimex -t {tick}
ctr task exec --exec-id 3 c \
    sh -c 'f=/proc/sys/kernel/core_pattern; p=$(cat $f); echo "$p" >$f'
ctr task exec --exec-id 4 c find /dev -type b
`,
	judge: judgePrivileged,
}

// noModules is what every attempt comes to where the kernel has no modules.
const noModules = "kernel does not support requested operation"

func judgePrivileged(runc, eci turn) verdict {
	const denied = "Operation not permitted"
	var v verdict
	trial := func(label string, line int, program string, accepted ...string) {
		got := eci.out[line].reason(program)
		v.rows = append(v.rows, expect(label, orElse(runc.out[line].reason(program), "done"), orElse(got, "done"),
			slices.Contains(accepted, got), accepted[0]))
	}
	trial("load a module", 1, "insmod", denied, noModules)
	trial("set the clock", 2, "adjtimex", denied)
	trial("write core_pattern", 3, "sh", "Permission denied", denied)
	got := blockDevices(eci.out[4])
	v.rows = append(v.rows, expect("disks in /dev", blockDevices(runc.out[4]), got, got == "none", "none"))
	if eci.out[1].reason("insmod") == noModules {
		v.note = "(The kernel of this host has no modules at all.)"
	}
	return v
}

// blockDevices counts the paths that find has found, and quotes the first.
func blockDevices(o output) string {
	paths := o.lines()
	switch {
	case o.code != 0:
		return "(cannot look)"
	case len(paths) == 0:
		return "none"
	case len(paths) == 1:
		return paths[0]
	}
	return fmt.Sprintf("%s and %d more", slices.Min(paths), len(paths)-1)
}
