package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
	"github.com/eci-runtime/eci/integration/testbed"
)

// hostState are settings that no container may change.
func hostState(t *testing.T) map[string]string {
	t.Helper()
	state := map[string]string{}
	for _, path := range []string{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/panic", "/proc/sys/vm/overcommit_memory"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		state[path] = string(data)
	}
	return state
}

// privilegedAttempts runs the probe's attempts as a privileged container, with
// every file of /proc and /sys in reach.
func privilegedAttempts(t *testing.T, runtime string) []attempt.Attempt {
	volume := t.TempDir()
	var st unix.Stat_t
	if err := unix.Stat(volume, &st); err != nil {
		t.Fatal(err)
	}
	disk := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	return attempts(t, run(t, bed(t), testbed.Container{
		Runtime: runtime, Privileged: true,
		Args:   []string{"/probe", "privileged", disk, "/mnt"},
		Mounts: []specs.Mount{testbed.Bind(volume, "/mnt")},
	}))
}

// ownCopy are the attempts that succeed, on something of the container's own (P14).
var ownCopy = map[string]bool{"sysctl kernel.panic": true, "sysctl vm.overcommit_memory": true}

func TestP03_PrivilegedIsSafe(t *testing.T) {
	before := hostState(t)
	report := privilegedAttempts(t, "")
	if len(report) < 20 {
		t.Errorf("the probe made %d attempts only", len(report))
	}
	for _, a := range report {
		if a.Effect != ownCopy[a.Name] {
			t.Errorf("%s: succeeded is %v (%s)", a.Name, a.Effect, a.Errno)
		}
	}
	for path, value := range hostState(t) {
		if before[path] != value {
			t.Errorf("%s of the host changed from %q to %q", path, before[path], value)
		}
	}
}

// The control: under plain runc the same attempts succeed, so that the test
// above can fail.
func TestP03_ControlUnderRunc(t *testing.T) {
	effects := map[string]bool{}
	for _, a := range privilegedAttempts(t, "runc") {
		effects[a.Name] = a.Effect
	}
	for _, name := range []string{"core_pattern", "drop_caches", "bpf", "clock_settime"} {
		if !effects[name] {
			t.Errorf("%s did not succeed under runc: the attempt proves nothing", name)
		}
	}
}

func TestP03_PrivilegedHasAllCapabilitiesInside(t *testing.T) {
	d := bed(t)
	caps := decode[map[string]string](t, run(t, d, testbed.Container{Privileged: true, Args: []string{"/probe", "caps"}}))
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		t.Fatal(err)
	}
	var n uint
	if _, err := fmt.Sscan(string(last), &n); err != nil {
		t.Fatal(err)
	}
	// A host without some capability cannot give it: runc drops what it lacks.
	want := hostBounding(t) & (1<<(n+1) - 1)
	var got uint64
	if _, err := fmt.Sscanf(caps["CapEff"], "%x", &got); err != nil || got != want {
		t.Errorf("CapEff is %s, want %016x", caps["CapEff"], want)
	}
	// They count inside: a mount, a host name, an interface.
	run(t, d, testbed.Container{Privileged: true, Args: []string{
		"sh", "-ec", "mount -t tmpfs tmpfs /tmp; hostname inside; ip link set lo up; ip addr add 10.9.9.9/32 dev lo; chroot / true",
	}})
}

func hostBounding(t *testing.T) uint64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "CapBnd:")
	var mask uint64
	if _, err := fmt.Sscanf(rest, "%x", &mask); err != nil {
		t.Fatal(err)
	}
	return mask
}

// standardDevices are what every container has.
var standardDevices = map[string]string{
	"/dev/null": "1:3", "/dev/zero": "1:5", "/dev/full": "1:7",
	"/dev/random": "1:8", "/dev/urandom": "1:9", "/dev/tty": "5:0",
}

func TestP03_NoHostDevices(t *testing.T) {
	d := bed(t)
	for _, privileged := range []bool{false, true} {
		t.Run(fmt.Sprintf("privileged=%t", privileged), func(t *testing.T) {
			found := nodes(t, run(t, d, testbed.Container{Privileged: privileged, Args: []string{"/probe", "devs"}}))
			for path, device := range standardDevices {
				n := found[path]
				if n.Type != "c" || n.Device != device || n.Mode != "0666" || n.UID != 0 || n.GID != 0 {
					t.Errorf("%s is %v, device %q; want c0666 0:0, %s", path, n, n.Device, device)
				}
			}
			for path, n := range found {
				allowed := standardDevices[path] != "" || (privileged && listed(path))
				if (n.Type == "c" || n.Type == "b") && !allowed {
					t.Errorf("a device of the host: %v %s", n, n.Device)
				}
			}
			for _, path := range []string{"/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/ptmx"} {
				if found[path].Type != "l" {
					t.Errorf("%s is %v, want a symbolic link", path, found[path])
				}
			}
		})
	}
}

// listed tells whether the default policy lists a device for those who ask.
func listed(path string) bool {
	for _, prefix := range []string{"/dev/fuse", "/dev/net/tun", "/dev/kvm", "/dev/dri/", "/dev/kfd", "/dev/nvidia", "/dev/dxg"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
