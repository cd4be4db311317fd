package policy

import "github.com/opencontainers/runtime-spec/specs-go"

// Decision is what a spec that broke no rule gets. All IDs are container IDs,
// all paths are paths in the container.
type Decision struct {
	// Mapping is the caller's own, to be adopted; nil means that a range is to
	// be claimed. ContainerID is 0, and users and groups have the same.
	Mapping *specs.LinuxIDMapping `json:"mapping,omitempty"`

	// Size is how many IDs the container has.
	Size uint32 `json:"size"`

	// Bulk says that the client asked for all devices at once, as privileged
	// containers do; what it may not have was left out, not refused.
	Bulk bool `json:"bulk,omitempty"`

	// Devices are the nodes to make, each path once. The standard ones come
	// first. Most paths lie below /dev, but none needs to.
	Devices []Device `json:"devices,omitempty"`

	// Nodes are bind mounts whose source is a device, by index into the mounts
	// of the spec: the node is to be made, and takes the place of the source.
	Nodes map[int]Device `json:"nodes,omitempty"`

	// Rules are the device rules of the cgroup, first to last.
	Rules []specs.LinuxDeviceCgroup `json:"rules,omitempty"`
}

// Device is a node for a container.
type Device struct {
	// Path is absolute and clean.
	Path string `json:"path"`

	// Type is "c" or "b".
	Type string `json:"type"`

	// Major and Minor are the numbers of the device, as mknod(2) wants them.
	Major int64 `json:"major"`
	Minor int64 `json:"minor"`

	// Mode holds the permission bits; the umask must not touch them.
	Mode uint32 `json:"mode"`

	// UID and GID are container IDs, less than Decision.Size.
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

func (d Device) id() id { return id{d.Type, d.Major, d.Minor} }

// Link is a symbolic link that belongs into /dev.
type Link struct {
	// Path is the absolute path of the link.
	Path string

	// Target is what the link says.
	Target string
}

// Links are the symbolic links of /dev that the OCI runtime specification asks
// for ("Dev symbolic links" in runtime-linux.md), which runc leaves to whoever
// brings a /dev, and /dev/ptmx of its "Default Devices". No device has one of
// their paths, or one below.
var Links = []Link{
	{Path: "/dev/fd", Target: "/proc/self/fd"},
	{Path: "/dev/stdin", Target: "/proc/self/fd/0"},
	{Path: "/dev/stdout", Target: "/proc/self/fd/1"},
	{Path: "/dev/stderr", Target: "/proc/self/fd/2"},
	{Path: "/dev/ptmx", Target: "pts/ptmx"},
}
