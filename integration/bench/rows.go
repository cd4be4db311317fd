package main

import (
	"context"
	"regexp"
	"slices"
)

// A group is a part of the table whose rows are measured together.
type group struct {
	Title   string
	Measure func(context.Context, *bench, []row) error
	Rows    []row
}

// same is the target of what must cost what it costs under runc.
var same = between(0.97, 1.03)

// groups is the table, in the order in which it is measured and printed.
var groups = []group{
	{"start", measureStarts, []row{
		{"run", nanoseconds, atMost(1.15), "`ctr run --rm IMAGE ID true`, one at a time: from starting ctr to its end"},
		{"run-settled", nanoseconds, target{}, "the same containers, until nothing that belongs to one is alive any more: work that is done after the client has its answer counts"},
		{"run-cpu", nanoseconds, target{}, "the same containers: processor time of all processes, those of ctr, containerd, the shim, runc and the container, by the accounting of a cgroup that holds them"},
		{"run-x10", nanoseconds, atMost(1.15), "ten `ctr run --rm` started together: until the last one ends"},
	}},
	{"exec", measureExecs, []row{
		{"exec", nanoseconds, atMost(1.10), "`ctr task exec ID true` in one living container: from starting ctr to its end"},
		{"exec-cpu", nanoseconds, target{}, "the same: processor time of all processes"},
	}},
	{"memory", measureMemory, []row{
		{"shim-pss", kibibytes, atMost(1.25), "the shim of one container that has been idle for two seconds: proportional set size, /proc/PID/smaps_rollup"},
		{"shim-dirty", kibibytes, target{}, "the same: private dirty memory, which nothing else can share and the kernel cannot drop"},
	}},
	{"data path", measureDataPath, []row{
		{"getpid", nanoseconds, same, "getpid(2), the cheapest system call"},
		{"clock", nanoseconds, target{}, "clock_gettime(2) twice, wall and monotonic, through the vDSO: a time namespace adds its offset here"},
		{"open-close", nanoseconds, same, "open and close a file of the image"},
		{"openat2", nanoseconds, same, "the same by openat2(2) with RESOLVE_NO_MAGICLINKS"},
		{"stat", nanoseconds, same, "stat(2) of a file of the image"},
		{"read-4k", nanoseconds, same, "read the same 4 KiB of a file in the writable layer"},
		{"write-4k", nanoseconds, same, "write the same 4 KiB of a file in the writable layer"},
		{"create-unlink", nanoseconds, atMost(1.10), "create, close and remove a file in the writable layer"},
		{"chown", nanoseconds, atMost(1.10), "change the owner of a file in the writable layer"},
		{"fork-exec", nanoseconds, same, "start a static busybox and wait for its end"},
		{"rootfs-seq-read", nanoseconds, same, "read 128 KiB of an 8 MiB file in the writable layer, in order"},
		{"rootfs-seq-write", nanoseconds, same, "overwrite 128 KiB of it, in order"},
		{"rootfs-rand-read", nanoseconds, same, "read 4 KiB of it, at a random place"},
		{"rootfs-rand-write", nanoseconds, same, "overwrite 4 KiB of it, at a random place"},
		{"volume-seq-read", nanoseconds, same, "read 128 KiB of an 8 MiB file on a volume, in order"},
		{"volume-seq-write", nanoseconds, same, "overwrite 128 KiB of it, in order"},
		{"volume-rand-read", nanoseconds, same, "read 4 KiB of it, at a random place"},
		{"volume-rand-write", nanoseconds, same, "overwrite 4 KiB of it, at a random place"},
		{"volume-create", nanoseconds, atMost(1.10), "create, close and remove a file on a volume"},
		{"tcp-stream", nanoseconds, same, "send 1 MiB over TCP on the container's loopback until it has arrived"},
		{"tcp-roundtrip", nanoseconds, same, "send one byte over TCP on the loopback and get it back"},
		{"mount-tmpfs", nanoseconds, atMost(1.10), "mount and unmount a tmpfs"},
		{"mount-bind", nanoseconds, atMost(1.10), "bind-mount a directory and unmount it"},
		{"mount-proc", nanoseconds, atMost(1.10), "mount and unmount a procfs"},
		{"read-uptime", nanoseconds, atMost(1.10), "open, read and close /proc/uptime"},
	}},
	{"cycles", measureCycles, []row{
		{"cycles", "", target{}, "create and delete containers, three in four of which also run; then count what is left of them on the host and in containerd, once it has had 30 seconds to tidy up"},
	}},
}

// wanted returns the rows of a group whose names match.
func (g group) wanted(names *regexp.Regexp) []row {
	return slices.DeleteFunc(slices.Clone(g.Rows), func(r row) bool { return !names.MatchString(r.Name) })
}
