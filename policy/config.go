package policy

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
	}
}
