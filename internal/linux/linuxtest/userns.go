package linuxtest

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// InUserNS calls the function name of the children given to [Main] in a new
// process, as root of a new user namespace whose IDs 0 to size-1 are the host's
// from base, with a copy of the caller's mount namespace that belongs to it. It
// gives what the function printed, standard error included.
func InUserNS(t testing.TB, base, size uint32, name string, args ...string) (string, error) {
	t.Helper()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(base), Size: int(size)}}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), envChild+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:                 unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings:                ids,
		GidMappings:                ids,
		GidMappingsEnableSetgroups: true,
		Credential:                 &syscall.Credential{},
		Pdeathsig:                  syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
