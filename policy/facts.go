package policy

import (
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

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

	// Layers are the directories that the root file system is made of, opened like
	// Sources.
	Layers []Source `json:"layers,omitempty"`

	// Places says where the patterns of [Config.Places] lead on this host. One that
	// is absent stands for itself.
	Places map[string]Location `json:"places,omitempty"`

	// Namespaces says what the namespaces are that the spec gives by path, by index
	// into linux.namespaces; one that is absent here does not exist.
	Namespaces map[int]Namespace `json:"namespaces,omitempty"`

	// Bundle is the directory that containerd has made for the container. Beside it are
	// those of the same containerd namespace.
	Bundle string `json:"bundle,omitempty"`

	// Image is what the container's root file system was made from. It is looked
	// for only where a source is an engine's socket.
	Image Image `json:"image,omitzero"`

	// CgroupTaken says why the cgroup that the spec names could not be the
	// container's alone: "/sys/fs/cgroup/pids/svc has processes". Empty: it does
	// not exist yet, or nothing is in it.
	CgroupTaken string `json:"cgroupTaken,omitempty"`

	// Devices are the nodes of the host that Config.Devices.Allow matches.
	Devices []Node `json:"devices,omitempty"`

	// Agent says that there is an agent that answers system calls: the caller has one, and
	// runc has seccomp. Without it, seccomp profiles stay as clients write them.
	Agent bool `json:"agent,omitempty"`

	// WaitKillable says that runc, its libseccomp (2.6) and the kernel (5.19) know the flag
	// SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (runc features: linux.seccomp.supportedFlags).
	// Where one of them does not, runc refuses a profile with it.
	WaitKillable bool `json:"waitKillable,omitempty"`

	// Platform is the processor's architecture as Go calls it, "amd64".
	Platform string `json:"platform,omitempty"`

	// CPUs is how many processors the container may run on, if its spec does not say; 0: it
	// is not known.
	CPUs int `json:"cpus,omitempty"`
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

// Source is something of the host's that was opened once: the source of a bind
// mount, or a layer of the root file system.
type Source struct {
	// Kind is what was opened; the zero value is refused.
	Kind Kind `json:"kind"`

	// Path is where it was opened; only for messages about layers.
	Path string `json:"path,omitempty"`

	// Paths are all paths by which the host's mount table shows it: the one at
	// which it was opened first, then those through other mounts of the same file
	// system. Some may be hidden under another mount.
	Paths []string `json:"paths,omitempty"`

	// Below are the mounts that come along with a bind that is recursive.
	Below []Submount `json:"below,omitempty"`

	// FileSystem is the type of the file system it lies on, as mountinfo has it.
	FileSystem string `json:"fileSystem,omitempty"`

	// Layers are the directories that an overlay shows it from, each with all its
	// paths; of the file system that it lies on, or of one in Below.
	Layers [][]string `json:"layers,omitempty"`

	// Device and Inode are st_dev and st_ino, stat(2).
	Device uint64 `json:"device,omitempty"`
	Inode  uint64 `json:"inode,omitempty"`

	// Linked is the restricted path that a hard link leads to as well, as found by
	// looking through restricted directories; "?" where there was too much to look
	// through. Empty: the file has one name, or none of them is restricted.
	Linked string `json:"linked,omitempty"`

	// Why says why it could not be looked at, as the end of "because …"; then
	// nothing else is known, and it is refused.
	Why string `json:"why,omitempty"`

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

// Submount is a mount of the host's below a source.
type Submount struct {
	// Paths are as in [Source], of the root of the mount.
	Paths []string `json:"paths"`

	// Part says that it is not a mount, but a directory of the source that the host
	// shows elsewhere as well.
	Part bool `json:"part,omitempty"`

	// FileSystem is its type.
	FileSystem string `json:"fileSystem,omitempty"`
}

// Location is where a pattern of the configuration leads.
type Location struct {
	// Path is the pattern after the symbolic links of the host; its wildcards, and
	// what does not exist, are as they were.
	Path string `json:"path"`

	// Also are patterns, too: where the symbolic links lead that its wildcards match.
	Also []string `json:"also,omitempty"`

	// Links are patterns, too: the symbolic links that the pattern leads through, where it
	// forbids. Who can change one of them changes where it leads.
	Links []string `json:"links,omitempty"`

	// Files are the files and sockets there, by device and inode, so that a hard link
	// to one is known; directories are known by their path.
	Files []FileID `json:"files,omitempty"`

	// Missing says that nothing is there; it is looked for only where the pattern
	// forbids.
	Missing bool `json:"missing,omitempty"`
}

// FileID tells one file from all others of a host.
type FileID struct {
	Device uint64 `json:"device"` // st_dev, stat(2)
	Inode  uint64 `json:"inode"`  // st_ino
}

// Namespace is what the path of a namespace led to when it was opened.
type Namespace struct {
	// Type is what it is (ioctl_nsfs(2), NS_GET_NSTYPE); the zero value is refused.
	Type specs.LinuxNamespaceType `json:"type,omitempty"`

	// Why says why there is no type: "not a namespace", "permission denied".
	Why string `json:"why,omitempty"`

	// Host says that it is the host's own.
	Host bool `json:"host,omitempty"`

	// HostOwned says that the host's user namespace owns it.
	HostOwned bool `json:"hostOwned,omitempty"`

	// UserNS is the inode of the user namespace that goes with it: of a user
	// namespace its own; of another, its owner; where that is the host's, the one of
	// the containers of this runtime that live in it. 0: there is none.
	UserNS uint64 `json:"userNS,omitempty"`

	// Container is the bundle of a container of this runtime that lives in UserNS.
	Container string `json:"container,omitempty"`

	// Pod is the pod of that container ([PodOf]); it is looked for only where the host
	// owns the namespace.
	Pod string `json:"pod,omitempty"`

	// Nested says that UserNS lies in the user namespace of a container.
	Nested bool `json:"nested,omitempty"`

	// Foreign says that somebody has rights there who is no container of this runtime
	// with that user namespace: a process lives in UserNS, or in the namespace itself
	// where no container has UserNS or the host owns it; or UserNS was made by another
	// user than the host's root and its own.
	Foreign bool `json:"foreign,omitempty"`

	// UIDMappings and GIDMappings are those of UserNS, with the host's IDs.
	UIDMappings []specs.LinuxIDMapping `json:"uidMappings,omitempty"`
	GIDMappings []specs.LinuxIDMapping `json:"gidMappings,omitempty"`
}

// Image is what is known about the content of a root file system. Names are as the
// engine's record has them, for messages: they prove nothing.
type Image struct {
	// Name is the name of the image in the engine's record.
	Name string `json:"name,omitempty"`

	// Chain are the chain IDs of the layers below the container's own one, the whole
	// image's first, then its ancestors'. Empty: nothing could be proven, and Why says
	// why.
	Chain []string `json:"chain,omitempty"`
	Why   string   `json:"why,omitempty"`
}
