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
		{Name: "run", Unit: nanoseconds, Target: atMost(1.20), Legend: "`ctr run --rm IMAGE ID true`, one at a time: from starting ctr to its end"},
		{Name: "run-settled", Unit: nanoseconds, Legend: "the same containers, until nothing that belongs to one is alive any more: work that is done after the client has its answer counts"},
		{Name: "run-cpu", Unit: nanoseconds, Legend: "the same containers: processor time of all processes, those of ctr, containerd, the shim, runc and the container, by the accounting of a cgroup that holds them"},
		{Name: "run-x10", Unit: nanoseconds, Target: atMost(1.15), Legend: "ten `ctr run --rm` started together: until the last one ends"},
	}},
	{"exec", measureExecs, []row{
		{Name: "exec", Unit: nanoseconds, Target: atMost(1.10), Legend: "`ctr task exec ID true` in one living container: from starting ctr to its end"},
		{Name: "exec-cpu", Unit: nanoseconds, Legend: "the same: processor time of all processes"},
	}},
	{"pods", measurePods, []row{
		{Name: "pod", Unit: nanoseconds, Target: atMost(1.15), Legend: "a pod of one container, as a kubelet asks containerd for it: RunPodSandbox, CreateContainer, StartContainer"},
	}},
	{"memory", measureMemory, []row{
		{Name: "shim-pss", Unit: kibibytes, Target: over(4 * 1024), Legend: "the shim of one container that has been idle for two seconds: proportional set size, /proc/PID/smaps_rollup"},
		{Name: "shim-dirty", Unit: kibibytes, Legend: "the same: private dirty memory, which nothing else can share and the kernel cannot drop"},
	}},
	{"data path", measureDataPath, []row{
		{Name: "getpid", Unit: nanoseconds, Target: same, Legend: "getpid(2), the cheapest system call"},
		{Name: "clock", Unit: nanoseconds, Legend: "clock_gettime(2) twice, wall and monotonic, through the vDSO: a time namespace adds its offset here"},
		{Name: "open-close", Unit: nanoseconds, Target: same, Legend: "open and close a file of the image"},
		{Name: "openat2", Unit: nanoseconds, Target: same, Legend: "the same by openat2(2) with RESOLVE_NO_MAGICLINKS"},
		{Name: "stat", Unit: nanoseconds, Target: same, Legend: "stat(2) of a file of the image"},
		{Name: "read-4k", Unit: nanoseconds, Target: same, Legend: "read the same 4 KiB of a file in the writable layer"},
		{Name: "write-4k", Unit: nanoseconds, Target: same, Legend: "write the same 4 KiB of a file in the writable layer"},
		{Name: "create-unlink", Unit: nanoseconds, Target: atMost(1.10), Legend: "create, close and remove a file in the writable layer"},
		{Name: "chown", Unit: nanoseconds, Target: atMost(1.10), Legend: "change the owner of a file in the writable layer"},
		{Name: "fork-exec", Unit: nanoseconds, Target: same, Legend: "start a static busybox and wait for its end"},
		{Name: "rootfs-seq-read", Unit: nanoseconds, Target: same, Legend: "read 128 KiB of an 8 MiB file in the writable layer, in order"},
		{Name: "rootfs-seq-write", Unit: nanoseconds, Target: same, Legend: "overwrite 128 KiB of it, in order"},
		{Name: "rootfs-rand-read", Unit: nanoseconds, Target: same, Legend: "read 4 KiB of it, at a random place"},
		{Name: "rootfs-rand-write", Unit: nanoseconds, Target: same, Legend: "overwrite 4 KiB of it, at a random place"},
		{Name: "volume-seq-read", Unit: nanoseconds, Target: same, Legend: "read 128 KiB of an 8 MiB file on a volume, in order"},
		{Name: "volume-seq-write", Unit: nanoseconds, Target: same, Legend: "overwrite 128 KiB of it, in order"},
		{Name: "volume-rand-read", Unit: nanoseconds, Target: same, Legend: "read 4 KiB of it, at a random place"},
		{Name: "volume-rand-write", Unit: nanoseconds, Target: same, Legend: "overwrite 4 KiB of it, at a random place"},
		{Name: "volume-create", Unit: nanoseconds, Target: atMost(1.10), Legend: "create, close and remove a file on a volume"},
		{Name: "tcp-stream", Unit: nanoseconds, Target: same, Legend: "send 1 MiB over TCP on the container's loopback until it has arrived"},
		{Name: "tcp-roundtrip", Unit: nanoseconds, Target: same, Legend: "send one byte over TCP on the loopback and get it back"},
		{Name: "mount-tmpfs", Unit: nanoseconds, Target: atMost(1.60), Legend: "mount and unmount a tmpfs"},
		{Name: "mount-bind", Unit: nanoseconds, Target: atMost(1.60), Legend: "bind-mount a directory and unmount it"},
		{Name: "mount-proc", Unit: nanoseconds, Target: within(2e6), Legend: "mount and unmount a procfs"},
		{Name: "read-uptime", Unit: nanoseconds, Target: within(15e3), Legend: "open, read to the end and close /proc/uptime, over and over"},
		{Name: "read-meminfo", Unit: nanoseconds, Target: within(60e3), Legend: "the same with /proc/meminfo"},
		{Name: "read-sysctl", Unit: nanoseconds, Target: within(15e3), Legend: "the same with /proc/sys/kernel/panic, which is emulated"},
		{Name: "read-native", Unit: nanoseconds, Target: atMost(1.05), Legend: "the same with /proc/sys/kernel/sched_rr_timeslice_ms, which is not"},
		{Name: "cold-uptime", Unit: nanoseconds, Sparse: true, Legend: "the same with /proc/uptime, when the one before it is 15 ms ago: nobody has the answer yet"},
		{Name: "cold-meminfo", Unit: nanoseconds, Sparse: true, Legend: "the same with /proc/meminfo, 60 ms after the one before"},
		{Name: "find-proc-sys", Unit: nanoseconds, Target: atMost(1.50), Legend: "`find /proc/sys -type f`, and read of every file"},
		{Name: "sysinfo", Unit: nanoseconds, Legend: "sysinfo(2)"},
	}},
	{"inner container", measureInner, []row{
		{Name: "inner-start", Unit: nanoseconds, Target: atMost(1.25), Legend: "`ctr run --rm IMAGE ID true` by a containerd with runc in a privileged container of the second runtime; the first side is the same by the outer containerd, under the first runtime"},
		{Name: "inner-rootfs-seq-read", Unit: nanoseconds, Target: atMost(1.05), Legend: "rootfs-seq-read in the inner container, whose layers lie in the outer one's /var/lib/containerd, against a container of the first runtime"},
		{Name: "inner-rootfs-seq-write", Unit: nanoseconds, Target: atMost(1.05), Legend: "rootfs-seq-write in these"},
		{Name: "inner-rootfs-rand-read", Unit: nanoseconds, Target: atMost(1.05), Legend: "rootfs-rand-read in these"},
		{Name: "inner-rootfs-rand-write", Unit: nanoseconds, Target: atMost(1.05), Legend: "rootfs-rand-write in these"},
		{Name: "inner-volume-seq-read", Unit: nanoseconds, Target: atMost(1.05), Legend: "volume-seq-read in the inner container, whose volume lies in the outer one's /var/lib/docker/volumes, against one of the host's in a container of the first runtime"},
		{Name: "inner-volume-seq-write", Unit: nanoseconds, Target: atMost(1.05), Legend: "volume-seq-write in these"},
		{Name: "inner-volume-rand-read", Unit: nanoseconds, Target: atMost(1.05), Legend: "volume-rand-read in these"},
		{Name: "inner-volume-rand-write", Unit: nanoseconds, Target: atMost(1.05), Legend: "volume-rand-write in these"},
		{Name: "inner-tcp-stream", Unit: nanoseconds, Target: atMost(1.05), Legend: "tcp-stream on the inner container's loopback, against that of a container of the first runtime"},
		{Name: "inner-tcp-roundtrip", Unit: nanoseconds, Target: atMost(1.05), Legend: "tcp-roundtrip in these"},
	}},
	{"system container", measureSystems, []row{
		{Name: "dockerd-idle", Unit: kibibytes, Target: over(5 * 1024), Legend: "a container in which dockerd has been idle for two seconds: proportional set size of the shim and of all else that is not in the container"},
		{Name: "systemd-boot", Unit: nanoseconds, Target: atMost(1.20), Legend: "from the client's request for a container of Debian until systemd in it is `running`: the time at which it has noted that its startup is finished"},
	}},
	{"cycles", measureCycles, []row{
		{Name: "cycles", Unit: "", Legend: "create and delete containers, three in four of which also run; then count what is left of them on the host and in containerd, once it has had 30 seconds to tidy up"},
	}},
}

// wanted returns the rows of a group whose names match.
func (g group) wanted(names *regexp.Regexp) []row {
	return slices.DeleteFunc(slices.Clone(g.Rows), func(r row) bool { return !names.MatchString(r.Name) })
}
