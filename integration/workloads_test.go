package integration

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// The tests TestWorkloads_… run what people ask system containers for: packages of Debian,
// unchanged, each with no more rights than it needs.

// workloads starts a container of the image of workloads, which sleeps.
func workloads(t *testing.T, c testbed.Container) *testbed.Task {
	t.Helper()
	c.Image = testbed.WorkloadsName
	return startDebian(t, c)
}

// withFuse and withTun are --device /dev/fuse and --device /dev/net/tun.
func withFuse(s *specs.Spec) { device("/dev/fuse", fuseNumber, 0, 0, 0o666)(s) }
func withTun(s *specs.Spec)  { device("/dev/net/tun", tunNumber, 0, 0, 0o666)(s) }

// capabilities are given beyond those that an engine gives anyway.
var (
	networkAdmin = []string{"CAP_NET_ADMIN"}
	systemAdmin  = []string{"CAP_SYS_ADMIN"}
	bothAdmins   = []string{"CAP_NET_ADMIN", "CAP_SYS_ADMIN"}
)

// inShell has two functions for scripts: await repeats a command until it succeeds, for as
// long as a test is patient; fails runs one that must not, and prints what it says.
const inShell = `await() { i=0; until "$@" >/tmp/await 2>&1; do i=$((i+1)); [ $i -lt 1200 ] || { echo "never: $*"; cat /tmp/await; exit 1; }; sleep 0.05; done; }
fails() { if "$@" >/tmp/fails 2>&1; then cat /tmp/fails; echo "succeeded: $*"; exit 1; fi; cat /tmp/fails; }
exec 2>&1
`

// workload runs a script with the functions of inShell, and returns all that it prints.
func workload(t *testing.T, task *testbed.Task, script string) string {
	t.Helper()
	return shell(t, task, inShell+script)
}
