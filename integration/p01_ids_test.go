package integration

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/integration/testbed"
)

const (
	poolBase  = 100000
	rangeSize = 65536
)

// freeRanges are the first n ranges that the runtime may hand out on this host,
// as the kernel shows mappings.
func freeRanges(t *testing.T, n int) []string {
	t.Helper()
	taken := append(delegated(t, "/etc/subuid"), delegated(t, "/etc/subgid")...)
	var free []string
	for base := uint64(poolBase); len(free) < n; base += rangeSize {
		if !slices.ContainsFunc(taken, func(r [2]uint64) bool { return base <= r[1] && r[0] < base+rangeSize }) {
			free = append(free, fmt.Sprintf("0 %d %d", base, rangeSize))
		}
	}
	return free
}

// delegated reads the ranges that subuid(5) gives to users, as first and last ID.
func delegated(t *testing.T, path string) [][2]uint64 {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var ranges [][2]uint64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) != 3 {
			continue
		}
		first, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 == nil && err2 == nil && count > 0 {
			ranges = append(ranges, [2]uint64{first, first + count - 1})
		}
	}
	return ranges
}

// mapping returns a container's uid_map, and checks that gid_map is the same.
func mapping(t *testing.T, task *testbed.Task) string {
	t.Helper()
	uids := strings.Join(strings.Fields(exec(t, task, "cat", "/proc/self/uid_map")), " ")
	gids := strings.Join(strings.Fields(exec(t, task, "cat", "/proc/self/gid_map")), " ")
	if uids != gids {
		t.Errorf("uid_map is %q, gid_map %q", uids, gids)
	}
	return uids
}

func TestP01_EveryContainerHasARangeOfItsOwn(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	want := freeRanges(t, 3)

	first := start(t, d, testbed.Container{})
	second := start(t, d, testbed.Container{Privileged: true})
	wantText(t, "first container", mapping(t, first), want[0])
	wantText(t, "second container", mapping(t, second), want[1])
	if n := len(d.Claims()); n != 2 {
		t.Errorf("%d claims for two containers: %v", n, d.Claims())
	}

	if err := first.Delete(deadline(t)); err != nil {
		t.Fatal(err)
	}
	third := start(t, d, testbed.Container{})
	wantText(t, "a container after the first was deleted", mapping(t, third), want[0])
	fourth := start(t, d, testbed.Container{})
	wantText(t, "one more", mapping(t, fourth), want[2])
	wantText(t, "second container", mapping(t, second), want[1])
}

func TestP01_RangesComeFromTheConfiguredPool(t *testing.T) {
	d := freshBed(t, testbed.Options{IDs: testbed.IDs{Base: 1 << 20, Size: 2 * rangeSize, End: 1<<21 - 1}})
	got := run(t, d, testbed.Container{Args: []string{"cat", "/proc/self/uid_map"}})
	wantText(t, "uid_map", strings.Join(strings.Fields(got), " "), fmt.Sprintf("0 %d %d", 1<<20, 2*rangeSize))
}

func TestP01_HostSeesMappedProcesses(t *testing.T) {
	d := bed(t)
	task := start(t, d, testbed.Container{})
	base := strings.Fields(mapping(t, task))[1]
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", task.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Uid:", "Gid:"} {
		want := name + strings.Repeat("\t"+base, 4) + "\n"
		if !strings.Contains(string(status), want) {
			t.Errorf("/proc/PID/status on the host lacks %q:\n%s", want, status)
		}
	}
}

// A container that leaves the user namespace out of its spec wishes for the
// host's: that is what `--userns=host` is to a client of containerd.
func TestP02_HostUserNamespaceIsIgnored(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	want := freeRanges(t, 1)[0]
	for _, c := range []struct {
		name string
		spec func(*specs.Spec)
	}{
		{"left out", func(*specs.Spec) {}},
		{"without mappings", func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		}},
		{"privileged", func(s *specs.Spec) { s.Linux.MaskedPaths = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, d, testbed.Container{Args: []string{"cat", "/proc/self/uid_map"}, Spec: c.spec, Privileged: c.name == "privileged"})
			wantText(t, "uid_map", strings.Join(strings.Fields(got), " "), want)
		})
	}
}

// withMapping gives a spec a mapping of the caller's own, as CRI does for
// `hostUsers: false`.
func withMapping(uids, gids []specs.LinuxIDMapping) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.UIDMappings, s.Linux.GIDMappings = uids, gids
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
}

func TestP02_MappingOfTheCallerIsHonoured(t *testing.T) {
	d := bed(t)
	own := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 10 << 20, Size: rangeSize}}
	got := run(t, d, testbed.Container{
		Args: []string{"sh", "-c", "cat /proc/self/uid_map && touch /file && stat -c %u:%g /file /own/1000"},
		Spec: withMapping(own, own),
	})
	wantText(t, "mapping and owners", strings.Join(strings.Fields(got), " "), fmt.Sprintf("0 %d %d 0:0 1000:1000", 10<<20, rangeSize))
}

func TestP02_BadMappingsAreRefused(t *testing.T) {
	d := bed(t)
	for _, c := range []struct {
		name       string
		uids, gids []specs.LinuxIDMapping
		want       string
	}{
		{"not from 0", []specs.LinuxIDMapping{{ContainerID: 1, HostID: 10 << 20, Size: rangeSize}}, nil, "does not start at container ID 0"},
		{"too small", []specs.LinuxIDMapping{{HostID: 10 << 20, Size: 1000}}, nil, "fewer than 65536"},
		{"host root", []specs.LinuxIDMapping{{HostID: 0, Size: rangeSize}}, nil, "linux.uidMappings"},
		{"gap", []specs.LinuxIDMapping{{HostID: 10 << 20, Size: rangeSize}, {ContainerID: 70000, HostID: 20 << 20, Size: 10}}, nil, "contiguous"},
		{
			"users and groups differ",
			[]specs.LinuxIDMapping{{HostID: 10 << 20, Size: rangeSize}},
			[]specs.LinuxIDMapping{{HostID: 20 << 20, Size: rangeSize}},
			"linux.gidMappings",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			gids := c.gids
			if gids == nil {
				gids = c.uids
			}
			refused(t, d, testbed.Container{Spec: withMapping(c.uids, gids)}, "error in the container spec: ", c.want)
		})
	}
}

func TestP02_MappingThatOverlapsAClaimIsRefused(t *testing.T) {
	d := freshBed(t, testbed.Options{})
	task := start(t, d, testbed.Container{})
	base, err := strconv.ParseUint(strings.Fields(mapping(t, task))[1], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	taken := []specs.LinuxIDMapping{{HostID: uint32(base) + 1000, Size: rangeSize}}
	refusedCreate(t, d, testbed.Container{Spec: withMapping(taken, taken)}, fmt.Sprint(base+1000))
	if n := len(d.Claims()); n != 1 {
		t.Errorf("claims after the refusal: %v", d.Claims())
	}
}
