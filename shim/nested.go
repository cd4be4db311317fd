package shim

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// errNested says why eci cannot run here, and what can. Mapping the mounts of a file system is
// for whoever has CAP_SYS_ADMIN in the user namespace that mounted it (mount_setattr(2)), and
// the layers of an inner root file system lie on the host's. Nor could a process that has the
// outer agent get one more: EBUSY, seccomp(2).
var errNested = errors.New("an eci container cannot hold eci containers: this is not the host's user namespace, and from any other one the kernel lets nobody map the mounts of the host's file systems; use runc here, whose containers are isolated from the host as this one is (docs/workloads.md)")

// requireHost finds out whether this is the host's user namespace, by a map of users as in
// /proc/self/uid_map: user_namespaces(7), "Defining user and group ID mappings".
func requireHost(uidMap string) error {
	data, err := os.ReadFile(uidMap)
	if err != nil {
		return err
	}
	if !slices.Equal(strings.Fields(string(data)), []string{"0", "0", "4294967295"}) {
		return errNested
	}
	return nil
}
