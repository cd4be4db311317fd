package shim

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/log"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fitOOMScore raises an oom_score_adj that this process may not set to the lowest
// that it may, and warns. runc would fail: lowering the value needs
// CAP_SYS_RESOURCE, which containerd lacks where it runs in a container itself
// (proc_pid_oom_score_adj(5)). Kubernetes asks for -998 for every pod.
func fitOOMScore(ctx context.Context, process *specs.Process) {
	if process == nil || process.OOMScoreAdj == nil {
		return
	}
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || *process.OOMScoreAdj >= own || hasSysResource() {
		return
	}
	log.G(ctx).Warnf("process.oomScoreAdj: %d needs CAP_SYS_RESOURCE, which containerd lacks; using %d", *process.OOMScoreAdj, own)
	process.OOMScoreAdj = &own
}

// hasSysResource tells whether the calling thread has CAP_SYS_RESOURCE in effect.
func hasSysResource() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[unix.CAP_SYS_RESOURCE/32].Effective&(1<<(unix.CAP_SYS_RESOURCE%32)) != 0
}
