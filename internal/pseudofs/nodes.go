package pseudofs

import (
	"math"
	"strings"
	"time"
)

// A kind says where the content of a node comes from.
type kind int

const (
	view  kind = iota // rendered from a [View]; read-only
	local             // the host's value, until the container writes its own
	limit             // local, and the host's value is raised to what is asked for
	fixed             // the product's UUID
)

// A node is a file of the kernel that shows the host, or that would change it, and
// what stands in its place.
type node struct {
	path string // below the root of all: "proc/…" or "sys/…"
	kind kind
	mode uint32 // permissions, as the kernel's node has them

	// Of a view.
	need   Need          // what it is rendered from
	host   bool          // and from the text of the host's node
	valid  time.Duration // how long a rendering is
	render func(host []byte, v *View) []byte

	// Of a value that can be written.
	rule rule
	same string // path of the node whose value this one shows, too

	// native is the kernel from which on the node belongs to a namespace, so that whoever
	// looks from another one does not see what the container sees; zero: none.
	native release
}

const (
	quick = 10 * time.Millisecond // what is looked at to see it move
	slow  = 50 * time.Millisecond // what takes time to collect
	still = time.Hour             // what changes by a write only
)

// nodes is every pseudo-file. Nodes of one directory stand together. What is local or
// a limit is attached only where the kernel refuses it to the container's root: what a
// kernel has a namespace for is left to the kernel.
var nodes = []node{
	{path: "proc/uptime", kind: view, mode: 0o444, need: NeedCPUs | NeedCPU, valid: quick, render: renderUptime},
	{path: "proc/loadavg", kind: view, mode: 0o444, need: NeedLoad | NeedTasks, valid: quick, render: renderLoadavg},
	{path: "proc/meminfo", kind: view, mode: 0o444, need: NeedMemory, host: true, valid: slow, render: renderMeminfo},
	{path: "proc/cpuinfo", kind: view, mode: 0o444, need: NeedCPUs, host: true, valid: slow, render: renderCpuinfo},
	{path: "proc/stat", kind: view, mode: 0o444, need: NeedCPUs | NeedCPU | NeedPerCPU | NeedTasks, host: true, valid: slow, render: renderStat},
	{path: "proc/diskstats", kind: view, mode: 0o444, need: NeedDevices, host: true, valid: slow, render: renderDiskstats},
	{path: "proc/swaps", kind: view, mode: 0o444, need: NeedMemory, valid: slow, render: renderSwaps},

	{path: "proc/pressure/cpu", kind: view, mode: 0o444, need: NeedPressure, valid: slow, render: renderPressure("cpu")},
	{path: "proc/pressure/io", kind: view, mode: 0o444, need: NeedPressure, valid: slow, render: renderPressure("io")},
	{path: "proc/pressure/memory", kind: view, mode: 0o444, need: NeedPressure, valid: slow, render: renderPressure("memory")},

	{path: "sys/devices/system/cpu/online", kind: view, mode: 0o444, need: NeedCPUs, valid: slow, render: renderCPUList},
	{path: "sys/devices/system/cpu/present", kind: view, mode: 0o444, need: NeedCPUs, valid: slow, render: renderCPUList},
	{path: "sys/devices/system/cpu/possible", kind: view, mode: 0o444, need: NeedCPUs, valid: slow, render: renderCPUList},

	{path: "sys/devices/virtual/dmi/id/product_uuid", kind: fixed, mode: 0o400},

	{path: "proc/sys/kernel/panic", kind: local, mode: 0o644, rule: integer(math.MinInt32, math.MaxInt32)},
	{path: "proc/sys/kernel/panic_on_oops", kind: local, mode: 0o644, rule: integer(0, 1)},
	{path: "proc/sys/kernel/printk", kind: local, mode: 0o644, rule: integers(4)},
	{path: "proc/sys/kernel/sysrq", kind: local, mode: 0o644, rule: integer(0, 511)},
	{path: "proc/sys/kernel/kptr_restrict", kind: local, mode: 0o644, rule: integer(0, 2)},
	{path: "proc/sys/kernel/dmesg_restrict", kind: local, mode: 0o644, rule: integer(0, 1)},
	{path: "proc/sys/kernel/pid_max", kind: local, mode: 0o644, rule: integer(301, 4194304), native: release{6, 14}},

	{path: "proc/sys/kernel/yama/ptrace_scope", kind: local, mode: 0o644, rule: ratchet(0, 3)},

	{path: "proc/sys/kernel/keys/root_maxkeys", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/kernel/keys/root_maxbytes", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/kernel/keys/maxkeys", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/kernel/keys/maxbytes", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},

	{path: "proc/sys/fs/file-max", kind: limit, mode: 0o644, rule: long(0, math.MaxInt64)},
	{path: "proc/sys/fs/nr_open", kind: limit, mode: 0o644, rule: integer(64, math.MaxInt32&^63)},
	{path: "proc/sys/fs/inotify/max_queued_events", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/fs/inotify/max_user_instances", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/fs/inotify/max_user_watches", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/fs/protected_hardlinks", kind: local, mode: 0o644, rule: integer(0, 1)},
	{path: "proc/sys/fs/protected_symlinks", kind: local, mode: 0o644, rule: integer(0, 1)},

	{path: "proc/sys/vm/overcommit_memory", kind: local, mode: 0o644, rule: integer(0, 2)},
	{path: "proc/sys/vm/max_map_count", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/vm/swappiness", kind: local, mode: 0o644, rule: integer(0, 200)},
	{path: "proc/sys/vm/dirty_ratio", kind: local, mode: 0o644, rule: integer(0, 100)},
	{path: "proc/sys/vm/dirty_background_ratio", kind: local, mode: 0o644, rule: integer(0, 100)},
	{path: "proc/sys/vm/mmap_min_addr", kind: local, mode: 0o644, rule: long(0, math.MaxUint64)},

	{path: "proc/sys/net/core/default_qdisc", kind: local, mode: 0o644, rule: qdisc{}},
	{path: "proc/sys/net/core/netdev_max_backlog", kind: local, mode: 0o644, rule: integer(math.MinInt32, math.MaxInt32)},
	{path: "proc/sys/net/core/rmem_max", kind: local, mode: 0o644, rule: integer(2304, math.MaxInt32)},
	{path: "proc/sys/net/core/wmem_max", kind: local, mode: 0o644, rule: integer(4608, math.MaxInt32)},

	{path: "proc/sys/net/ipv4/neigh/default/gc_thresh1", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/net/ipv4/neigh/default/gc_thresh2", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/net/ipv4/neigh/default/gc_thresh3", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},

	{path: "proc/sys/net/netfilter/nf_conntrack_max", kind: limit, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/net/netfilter/nf_conntrack_buckets", kind: local, mode: 0o644, rule: integer(1, math.MaxInt32)},
	{path: "proc/sys/net/netfilter/nf_conntrack_expect_max", kind: local, mode: 0o644, rule: integer(1, math.MaxInt32)},

	// IPVS: what kube-proxy sets, and what the kernel keeps from a user namespace.
	{path: "proc/sys/net/ipv4/vs/conntrack", kind: local, mode: 0o644, rule: integer(0, 1)},
	{path: "proc/sys/net/ipv4/vs/conn_reuse_mode", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},
	{path: "proc/sys/net/ipv4/vs/expire_nodest_conn", kind: local, mode: 0o644, rule: integer(0, 1)},
	{path: "proc/sys/net/ipv4/vs/expire_quiescent_template", kind: local, mode: 0o644, rule: integer(0, 1)},
	{path: "proc/sys/net/ipv4/vs/run_estimation", kind: local, mode: 0o644, rule: integer(0, 1)},
	{path: "proc/sys/net/ipv4/vs/est_nice", kind: local, mode: 0o644, rule: integer(-20, 19)},
	{path: "proc/sys/net/ipv4/vs/sync_qlen_max", kind: local, mode: 0o644, rule: long(0, math.MaxUint64)},
	{path: "proc/sys/net/ipv4/vs/sync_sock_size", kind: local, mode: 0o644, rule: integer(0, math.MaxInt32)},

	{path: "sys/module/nf_conntrack/parameters/hashsize", kind: local, mode: 0o600, rule: parameter{}, same: "proc/sys/net/netfilter/nf_conntrack_buckets"},
}

// served are the directories that are shown whole, because a node has to be in them that
// the kernel's lack in a network namespace other than the host's. What they have beside the
// nodes is that of the caller's network namespace.
var served = []struct {
	path string
	// lacks are entries of which the kernel's directory lacks at least one; else it stays.
	lacks []string
}{
	{"proc/sys/net/core", []string{"default_qdisc", "netdev_max_backlog"}},
	{"proc/sys/net/ipv4/neigh", []string{"default"}},
}

// network tells whether the value of a node belongs to the pod.
func (n *node) network() bool {
	return strings.HasPrefix(n.value(), "proc/sys/net/")
}

// value is the name of the node's value in [Values].
func (n *node) value() string {
	if n.same != "" {
		return n.same
	}
	return n.path
}

// writable tells whether a container may write the node at all.
func (n *node) writable() bool { return n.rule != nil }

// sysctl is the name of a node of /proc/sys as sysctl(8) has it: "fs.file-max".
func (n *node) sysctl() string {
	return strings.ReplaceAll(strings.TrimPrefix(n.path, "proc/sys/"), "/", ".")
}
