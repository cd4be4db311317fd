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

	// Masks are what is hidden in a volume, by index into the mounts of the spec:
	// relative paths of directories.
	Masks map[int][]string `json:"masks,omitempty"`

	// Absent are what would be hidden in a volume, like Masks, but is not there. The
	// volume is writable, which nothing could be hidden in, so that it is not to be
	// mounted with one of them.
	Absent map[int][]string `json:"absent,omitempty"`

	// Private are the bind mounts that do not follow the mounts of the host, although
	// they ask for it, by index into the mounts of the spec: what is mounted there later
	// is the choice of a client, and nobody judges it.
	Private map[int]bool `json:"private,omitempty"`

	// Sockets are the bind mounts that are an engine's socket and were allowed, by
	// index into the mounts of the spec.
	Sockets map[int]Socket `json:"sockets,omitempty"`

	// UserNS is the inode of the user namespace that is joined, one of those in
	// Facts.Namespaces; 0 means that a new one is made.
	UserNS uint64 `json:"userNS,omitempty"`

	// Join is the container of this runtime that lives in UserNS and whose range is to
	// be shared; nil for a container with a range of its own.
	Join *Join `json:"join,omitempty"`

	// Joins are the namespaces that are joined, by index into linux.namespaces. No
	// user namespace is among them.
	Joins []int `json:"joins,omitempty"`

	// Host are the namespaces that are shared with the host. It is empty as long as
	// the rule host-namespace is enforced.
	Host []specs.LinuxNamespaceType `json:"host,omitempty"`

	// Borrowed says that the network namespace belongs to the host's user namespace:
	// that of a pod without hostUsers: false, or the host's. Then sysfs and network
	// settings are the caller's to make.
	Borrowed bool `json:"borrowed,omitempty"`

	// BareHooks says that hooks are those of a list, and get an environment that no
	// client has written.
	BareHooks bool `json:"bareHooks,omitempty"`

	// Intercepts are the system calls that the agent answers, some of them for some
	// arguments only. Empty: none, and the container needs no listener.
	Intercepts []string `json:"intercepts,omitempty"`

	// Refuses are the system calls that fail with EPERM, whatever the client's profile
	// lets through.
	Refuses []string `json:"refuses,omitempty"`

	// Mknod are the devices that the agent makes nodes of, where the container asks.
	Mknod []Node `json:"mknod,omitempty"`

	// State are the directories to be reached without overlayfs, so that a container
	// engine inside can mount overlays there ([Exposes]).
	State []string `json:"state,omitempty"`

	// Findings are what was noticed and let pass: rules in the mode warn, and
	// exceptions that the configuration makes.
	Findings []Finding `json:"findings,omitempty"`
}

// Socket is an engine's socket for a container.
type Socket struct {
	// Engine is the name of the engine, "docker", "containerd", …, by its path.
	Engine string `json:"engine"`

	// Broker says that requests have to be looked at, as Config.Sockets.Commands
	// wants it.
	Broker bool `json:"broker,omitempty"`
}

// Join is what is known of the container whose user namespace is shared.
type Join struct {
	// Container is its bundle.
	Container string `json:"container"`

	// Mapping is its range.
	Mapping specs.LinuxIDMapping `json:"mapping"`
}

// Finding is something that was let pass, and why.
type Finding struct {
	// Rule is the rule that it is about.
	Rule string `json:"rule"`

	// Field is where in the spec.
	Field string `json:"field"`

	// Reason is the sentence of the refusal that it would have been, or what was
	// granted.
	Reason string `json:"reason"`

	// Verdict is Warned or Granted.
	Verdict Verdict `json:"verdict"`
}

// Verdict is what became of a wish.
type Verdict string

const (
	Allowed Verdict = "allowed" // nothing to say
	Granted Verdict = "granted" // by an exception of the configuration
	Warned  Verdict = "warned"  // by a rule in the mode warn
	Denied  Verdict = "denied"  // refused, and so was the container
	Failed  Verdict = "failed"  // nobody refused it, and it could not be done
)

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
