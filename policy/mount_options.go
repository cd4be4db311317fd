package policy

import "slices"

// bindOptions are the options that a bind can have: flags of the mount, not of
// a file system. The names are those of runc's tables in
// libcontainer/specconv; "defaults" is here because it says nothing.
var bindOptions = slices.Concat(
	[]string{
		"bind", "rbind", "defaults", "remount", "idmap", "ridmap", "tmpcopyup",
		"async", "sync", "dirsync", "mand", "nomand", "iversion", "noiversion",
		"lazytime", "nolazytime", "loud", "silent",
	},
	propagations,
	flags(""),
	flags("r"),
)

// propagations are the options that set a mount's propagation type.
var propagations = []string{
	"private", "rprivate", "slave", "rslave",
	"shared", "rshared", "unbindable", "runbindable",
}

// flags are the per-mount flags; with the prefix r they hold for all mounts
// below as well (mount_setattr(2) with AT_RECURSIVE).
func flags(prefix string) []string {
	names := []string{
		"ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec",
		"atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
		"strictatime", "nostrictatime", "symfollow", "nosymfollow",
	}
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names
}
