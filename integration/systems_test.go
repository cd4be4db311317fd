package integration

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

// The tests of P16 to P18 run whole systems, unchanged: Debian with systemd, and the engines
// of Debian and of today. They take minutes: make test-system.

// current is where the built programs lie in a container of engines.
const current = "/current"

// systemPath finds Debian's programs.
const systemPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// system starts a container of the image of a whole system.
func system(t *testing.T, c testbed.Container) *testbed.Task {
	t.Helper()
	c.Image = testbed.SystemsName
	c.Env = append([]string{systemPath}, c.Env...)
	return start(t, debianBed(t, testbed.SystemsName), c)
}

// entire makes the spec that of docker run --privileged: every capability, those included that
// the test's own process may lack, programs may get more rights, and a cgroup mount.
func entire(s *specs.Spec) {
	s.Process.NoNewPrivileges = false
	caps := s.Process.Capabilities
	for _, set := range []*[]string{&caps.Bounding, &caps.Effective, &caps.Permitted} {
		*set = append(*set, "CAP_SYS_RESOURCE")
	}
	s.Mounts = append(s.Mounts, specs.Mount{
		Type: "cgroup", Source: "cgroup", Destination: "/sys/fs/cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "rw"},
	})
}

// engines starts a container for engines: privileged, as they want it, with today's engines
// beside Debian's.
func engines(t *testing.T, c testbed.Container) *testbed.Task {
	t.Helper()
	more := c.Spec
	c.Privileged, c.Spec = true, func(s *specs.Spec) {
		entire(s)
		if more != nil {
			more(s)
		}
	}
	c.Mounts = append(c.Mounts, testbed.Bind(bed(t).Programs.Dir, current, "ro"))
	return system(t, c)
}

// daemon starts an engine in a container, and waits until a command of its client succeeds.
// Its log is shown if the test fails.
func daemon(t *testing.T, task *testbed.Task, path, command, ready string) {
	t.Helper()
	log := "/var/log/" + strings.ReplaceAll(strings.Fields(command)[0], "/", "-") + ".log"
	shell(t, task, "export "+path+"; setsid "+command+" </dev/null >"+log+" 2>&1 &")
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := shellAny(t, task, "tail -n 40 "+log)
			t.Logf("%s:\n%s", command, out)
		}
	})
	shell(t, task, "export "+path+"; timeout 100 sh -c 'until "+ready+" >/dev/null 2>&1; do sleep 0.1; done'")
}

// steps checks programs in order; those behind one that fails are not tried.
func steps(t *testing.T, task *testbed.Task, before string, list []printed) {
	t.Helper()
	for _, p := range list {
		p.script = before + p.script
		if !t.Run(p.name, func(t *testing.T) { p.check(t, task) }) {
			return
		}
	}
}
