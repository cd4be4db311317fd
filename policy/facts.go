package policy

import "time"

// Facts is what the host really is, observed by the caller for one spec.
type Facts struct {
	// Boottime and Monotonic are the host's clocks at about now: CLOCK_BOOTTIME
	// and CLOCK_MONOTONIC of clock_gettime(2), read in the time namespace that
	// runc will run in.
	Boottime  time.Duration `json:"boottime"`
	Monotonic time.Duration `json:"monotonic"`

	// TimeNamespace says that the kernel has time namespaces
	// (CONFIG_TIME_NS, Linux 5.6; /proc/self/ns/time exists).
	TimeNamespace bool `json:"timeNamespace"`

	// Sources says what the source of a bind mount is, by index into the
	// mounts of the spec; a source that is absent here does not exist.
	Sources map[int]Source `json:"sources,omitempty"`

	// RootOwn is as Source.Own, for the directories that the root file system is
	// made of.
	RootOwn string `json:"rootOwn,omitempty"`

	// CgroupTaken says why the cgroup that the spec names could not be the
	// container's alone: "/sys/fs/cgroup/pids/svc has processes". Empty: it does
	// not exist yet, or nothing is in it.
	CgroupTaken string `json:"cgroupTaken,omitempty"`

	// Devices are the nodes of the host that Config.Devices.Allow matches.
	Devices []Node `json:"devices,omitempty"`
}

// Kind is what kind of file something is.
type Kind string

// The kinds. Devices are told apart because they get a node of their own.
const (
	KindDir    Kind = "dir"
	KindFile   Kind = "file"
	KindDevice Kind = "device"
	KindSocket Kind = "socket"
	KindOther  Kind = "other"
)

// Source is the opened source of a bind mount.
type Source struct {
	// Kind is what was opened; the zero value is refused.
	Kind Kind `json:"kind"`

	// Own is the directory of the runtime's, or of runc's, that the source is,
	// holds, or lies in; empty for every other source.
	Own string `json:"own,omitempty"`

	// Node describes the device, where Kind is KindDevice; its path is that
	// of the spec and decides nothing.
	Node Node `json:"node,omitzero"`
}

// Node is a device node of the host.
type Node struct {
	// Path is the absolute path on the host; only for messages.
	Path string `json:"path,omitempty"`

	// Type is "c" or "b".
	Type string `json:"type"`

	// Major and Minor are the numbers of st_rdev, stat(2).
	Major int64 `json:"major"`
	Minor int64 `json:"minor"`

	// Mode holds the permission bits, owner to others.
	Mode uint32 `json:"mode,omitempty"`

	// UID and GID are the owner's host IDs. As engines do, a container's node
	// gets the same numbers, as container IDs.
	UID uint32 `json:"uid,omitempty"`
	GID uint32 `json:"gid,omitempty"`
}

// id is what makes a device the device that it is.
type id struct {
	kind         string
	major, minor int64
}

func (n Node) id() id { return id{n.Type, n.Major, n.Minor} }
