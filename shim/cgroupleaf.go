package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// firstCgroup is the cgroup of the first process, within that of a container that may hold
// others. On version 2, a cgroup with processes in it has no controllers to give to cgroups
// below it (cgroups(7), "no internal processes"): engines fail with EBUSY, unless somebody
// moves everybody out of the way, as systemd does, and the start script of docker:dind. systemd
// has the name from itself, and takes what is above it for its own.
const firstCgroup = "init.scope"

// mayDivide tells whether a container is one for engines: they mount.
func mayDivide(spec *specs.Spec) bool {
	caps := spec.Process.Capabilities
	return caps != nil && slices.Contains(caps.Bounding, "CAP_SYS_ADMIN")
}

// divideV2 puts the first process one cgroup deeper, and gives that level all controllers.
// Later processes of the client follow: where runc may not put one into the container's
// cgroup, it takes that of the first process. A hierarchy without controllers (hybrid hosts)
// stays as it is.
func divideV2(dir string, pid uint32, uid, gid int) error {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil || len(strings.Fields(string(controllers))) == 0 {
		return err
	}
	cgroup, err := openCgroup(dir)
	if err != nil {
		return err
	}
	defer cgroup.Close()
	if err := linux.Mkdir(cgroup, firstCgroup, 0o755); err != nil {
		return err
	}
	leaf := filepath.Join(dir, firstCgroup)
	if err := delegate(leaf, delegatedV2(), uid, gid); err != nil {
		return err
	}
	err = writeIn(cgroup, firstCgroup+"/cgroup.procs", strconv.FormatUint(uint64(pid), 10))
	if errors.Is(err, unix.ESRCH) {
		return nil // it was killed, which is the client's to find out
	}
	if err != nil {
		return fmt.Errorf("move the first process to %s: %w", leaf, err)
	}
	for _, name := range strings.Fields(string(controllers)) {
		_ = writeIn(cgroup, "cgroup.subtree_control", "+"+name) // some cannot be, as cpu with real-time processes
	}
	return nil
}
