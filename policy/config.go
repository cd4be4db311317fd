package policy

import "slices"

// Config is the administrator's word. Its zero value is not usable; [Default]
// and [Parse] make valid ones.
type Config struct {
	// StateDir is the runtime's own directory, absolute; it should be on a
	// tmpfs, because nothing in it means anything after a reboot.
	StateDir string

	// Runc is the absolute path of runc; empty means that it is looked up in
	// the PATH of containerd.
	Runc string

	// RuncRoots are the directories in which clients may have runc keep its
	// state, absolute. Whoever can write to one is root of the host: runc runs
	// the hooks that the state of a container names.
	RuncRoots []string

	// IDs is the pool that ranges of host IDs are claimed from.
	IDs IDs

	// Devices is what containers may be given besides the standard nodes.
	Devices Devices

	// Policies are the files that a client's runtime options may name as
	// ConfigPath, absolute. Empty allows none: what a client may choose is the
	// administrator's to list.
	Policies []string

	// Mounts says which directories and files of the host may be volumes.
	Mounts Mounts

	// Sockets says who may have an engine's socket.
	Sockets Sockets

	// Namespaces says which namespaces a container may share.
	Namespaces Namespaces

	// Hooks says which programs a spec may have runc run on the host.
	Hooks Hooks

	// Emulation says what a container sees of itself.
	Emulation Emulation

	// Systemd says which containers get what systemd needs.
	Systemd SystemdMode

	// Sysctl bounds what containers may change of the host's settings.
	Sysctl Sysctl

	// State says where container engines may keep images and containers inside.
	State State

	// Rules are the modes of rules, by name; what is absent is enforced. Only
	// rules that [Switchable] names are in it.
	Rules map[string]Mode

	// Audit says where decisions are written down.
	Audit Audit
}

// Mounts judges paths of the host. The most specific rule wins, and of two that are
// equally specific the last one.
type Mounts struct {
	// Rules are in the order of their strictness, the strictest last, so that of two
	// that are equally specific the stricter one wins. No path has two: what a later
	// file says about a path replaces what an earlier one, or the built-in list, says.
	Rules []PathRule

	// Only lists what may be mounted at all, beside the exceptions in Rules:
	// absolute patterns. Nil: whatever is not restricted.
	Only []string
}

// PathRule is what holds for a path of the host, and for all below it.
type PathRule struct {
	// Path is an absolute clean pattern. A component may hold the wildcards of
	// path.Match, which do not cross a slash.
	Path string

	// Access is what holds there.
	Access Access

	// Final says that no other rule opens what this one restricts, however specific
	// it is. Annotations make such rules, see [Tighten]; files cannot.
	Final bool

	// Follows says of an exception that volumes there may show what the host mounts
	// later, if they ask for it (rslave): no engine mounts there what its clients name.
	// The built-in exceptions for the kubelet have it; files cannot say it.
	Follows bool
}

// Access is what a container may have of a path.
type Access string

const (
	// Restricted may not be mounted, nor may what holds it.
	Restricted Access = "restricted"

	// Masked may not be mounted; in a volume that holds it, an empty read-only
	// directory stands in its place. Only directories can be masked. Where there is
	// one, the volume is read-only: else it could be moved away from its mask.
	Masked Access = "masked"

	// Readable may be mounted read-only, and so may what holds it. It is not for root
	// file systems and overlays.
	Readable Access = "readonly"

	// Excepted may be mounted although it lies in a restricted directory.
	Excepted Access = "except"

	// Layers may be part of a root file system, or of an overlay, although it
	// lies in a restricted directory; it may not be mounted.
	Layers Access = "layers"
)

// Sockets is about the sockets of container engines: whoever can write to one
// is root of the host.
type Sockets struct {
	// Engines are absolute patterns of the sockets' paths.
	Engines []string

	// Images are the images whose containers may have such a socket:
	// "docker.io/library/docker:cli", "…/docker:*", "…/docker@sha256:…". What a
	// name with a tag stands for is in Pins.
	Images []string

	// AllowDerived lets images pass that were built on one of Images.
	AllowDerived bool

	// Commands limits what may be asked of Docker through the socket.
	Commands Commands

	// Pins say what the names in Images stand for. They are written by the
	// administrator (eci policy pin), because everybody who can reach the
	// engine can move a tag.
	Pins []Pin
}

// Commands is a list of docker's commands. The zero value allows all.
type Commands struct {
	// Type is "deny" (all but List), "allow" (only List) or empty.
	Type string

	// List holds commands as docker --help names them: "push", "build",
	// "container exec"; "image*" stands for all that begin with it.
	List []string
}

// Pin is the content that an image's name stands for.
type Pin struct {
	// Name is the image's full name with its tag.
	Name string

	// Digest is the digest of what the name led to, "sha256:…".
	Digest string

	// Chain is the chain ID of the image's layers (OCI image specification,
	// "Layer ChainID"), by which snapshots are named.
	Chain string
}

// Namespaces is about namespaces that a spec gives by path.
type Namespaces struct {
	// RequireOwn refuses a network namespace that belongs to the host's user
	// namespace, as that of a pod does without hostUsers: false. Its containers
	// work, but are not the administrators of their network.
	RequireOwn bool
}

// Hooks is about the programs of a spec's hooks, which runc runs as root of the
// host.
type Hooks struct {
	// Allow holds absolute patterns of programs, each with the arguments that it begins
	// with behind it: "/usr/bin/dockerd libnetwork-setkey". Nil allows all, empty none.
	Allow []string
}

// Audit is about the log of decisions.
type Audit struct {
	// File is the absolute path of the log; empty writes none.
	File string

	// Journal sends every line to systemd's journal as well.
	Journal bool

	// Required refuses a container whose line could not be written.
	Required bool

	// Denied writes refusals, warnings and exceptions only.
	Denied bool
}

// IDs is a pool of host IDs, the same for users and groups.
type IDs struct {
	// Base is the first host ID that may be given out.
	Base uint32

	// Size is how many IDs each container gets.
	Size uint32

	// End is the last host ID that may be given out.
	End uint32
}

// Devices lists device nodes of the host.
type Devices struct {
	// Allow holds absolute patterns in the syntax of path.Match, in which a
	// star does not cross a slash. Empty allows none. A pattern only makes a
	// node available: a container gets it if its client asks for it.
	Allow []string
}

const (
	// MinSize is the smallest range that a container can have: images use
	// IDs up to 65534 (nobody), and P01 promises 65,536.
	MinSize = 65536

	// MinHostID is the lowest host ID that a container may be mapped to.
	// Below it live root, the system's accounts and the people: 16 bits was
	// all there was until Linux 2.4, and useradd(8), systemd (systemd.io,
	// "Users, Groups, UIDs and GIDs on systemd systems") and Debian policy
	// 9.2.2 still give out nothing above to accounts.
	MinHostID = 65536

	// maxHostID is the highest ID that exists; (uid_t)-1 means "no ID" in
	// chown(2) and setresuid(2).
	maxHostID = 1<<32 - 2
)

// Default gives the configuration that holds where no file says otherwise.
// docs/config.example.toml spells it out, with a reason for every line.
func Default() Config {
	return Config{
		StateDir: "/run/eci",
		RuncRoots: []string{
			"/run/containerd/runc",
			"/run/docker/runtime-runc",
			"/var/run/docker/runtime-runc",
		},
		IDs: IDs{
			Base: 100000,
			Size: MinSize,
			// Half of the 32-bit range: file systems, archives and kernel
			// interfaces that hold an ID in a signed integer exist, and
			// systemd calls the other half unsafe for that reason.
			End: 1<<31 - 1,
		},
		Devices: Devices{Allow: []string{
			"/dev/fuse",
			"/dev/net/tun",
			"/dev/kvm",
			"/dev/dri/*",
			"/dev/kfd",
			"/dev/nvidia*",
			"/dev/nvidia-caps/*",
			"/dev/dxg",
		}},
		Mounts:    Mounts{Rules: slices.Clone(defaultRules())},
		Sockets:   Sockets{Engines: slices.Clone(engineSockets)},
		Emulation: Emulation{Enabled: true, Mknod: slices.Clone(defaultMknod)},
		Systemd:   SystemdAuto,
		Sysctl:    Sysctl{Ceilings: defaultCeilings()},
		State:     State{Directories: slices.Clone(defaultState)},
		Audit:     Audit{File: "/var/log/eci/audit.log"},
	}
}
