package shim

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/containerd/containerd/v2/pkg/sys/reaper"

	"github.com/eci-runtime/eci/internal/linux"
)

// companion is the administrator's command, which lies beside this binary. It does
// what takes gRPC or HTTP, for the few containers that need it: linked into the shim,
// both would be initialised three times for every container (ADR 9).
const companion = "eci"

// companionCommand is the companion with arguments, and with an empty environment.
func companionCommand(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(filepath.Dir(self), companion)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("an engine's socket takes the program %s beside the runtime: %w", companion, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}

// startOnHost starts a command in containerd's mount namespace, where paths mean what
// they mean to containerd, and where nothing of the shim's is kept mounted. Its end is
// waited for by the reaper, which collects every child of the shim, and so is to be
// waited for from now on: one that nobody listens to holds the reaper up.
func startOnHost(mountNS *os.File, cmd *exec.Cmd) (wait func() (status int, err error), err error) {
	err = linux.OnThread(func() error {
		if err := linux.EnterMountNS(mountNS); err != nil {
			return err
		}
		exits, err := reaper.Default.Start(cmd)
		wait = func() (int, error) { return reaper.Default.Wait(cmd, exits) }
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return wait, nil
}
