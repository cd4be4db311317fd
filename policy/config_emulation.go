package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Emulation is about what a container sees of itself in place of the host.
type Emulation struct {
	// Enabled says whether containers get files in /proc and /sys that show their own
	// resources and settings, and an agent that answers system calls.
	Enabled bool

	// Mknod are the devices that a container may make nodes of by mknod(2), by their names
	// below /dev. Only harmless ones have a name here, see [MknodNames].
	Mknod []string
}

// Sysctl is about settings of the kernel that all of a host have in common.
type Sysctl struct {
	// Ceilings are the highest values to which containers may raise the host's settings, by
	// name. 0, or absent: they may not, and see only what they wrote. Nothing else than
	// [Raisable] ones can be raised.
	Ceilings map[string]int64
}

// mknodNodes are the devices that can be listed. Numbers cannot: a disk is a number, too, and
// not only a block device is one (c 21 are SCSI disks). Whether a node can be opened is
// for the device cgroup to say.
var mknodNodes = []Node{
	// Documentation/admin-guide/devices.txt of the kernel.
	{Path: "/dev/null", Type: "c", Major: 1, Minor: 3},
	{Path: "/dev/zero", Type: "c", Major: 1, Minor: 5},
	{Path: "/dev/full", Type: "c", Major: 1, Minor: 7},
	{Path: "/dev/random", Type: "c", Major: 1, Minor: 8},
	{Path: "/dev/urandom", Type: "c", Major: 1, Minor: 9},
	{Path: "/dev/tty", Type: "c", Major: 5, Minor: 0},
	{Path: "/dev/console", Type: "c", Major: 5, Minor: 1},
	{Path: "/dev/ptmx", Type: "c", Major: 5, Minor: 2},
	{Path: "/dev/net/tun", Type: "c", Major: 10, Minor: 200},
	{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229},
}

// defaultMknod are those that every /dev has: whoever unpacks a distribution makes them.
var defaultMknod = []string{"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}

// MknodNames are the devices that can stand in Emulation.Mknod.
func MknodNames() []string {
	names := make([]string, len(mknodNodes))
	for i, n := range mknodNodes {
		names[i] = mknodName(n)
	}
	return names
}

func mknodName(n Node) string { return strings.TrimPrefix(n.Path, "/dev/") }

// nodes are the devices that Mknod names.
func (e Emulation) nodes() []Node {
	var out []Node
	for _, n := range mknodNodes {
		if slices.Contains(e.Mknod, mknodName(n)) {
			out = append(out, n)
		}
	}
	return out
}

// raisable are the settings that can be raised, with the ceilings that hold where no file
// says otherwise.
var raisable = []struct {
	name    string
	ceiling int64
}{
	// 16 million open files take 4 GiB, which are charged to whoever opens them.
	{"fs.file-max", 1 << 24},
	// It gives nobody a file: it is the highest limit that root of the host could set.
	{"fs.nr_open", 1 << 24},
	// What kube-proxy asks for on 32 processors. A connection takes 320 bytes of the host's,
	// which are charged to nobody, in each network namespace.
	{"net.netfilter.nf_conntrack_max", 1 << 20},
}

// Raisable names the settings of the host that containers may raise.
func Raisable() []string {
	names := make([]string, len(raisable))
	for i, r := range raisable {
		names[i] = r.name
	}
	return names
}

func defaultCeilings() map[string]int64 {
	ceilings := make(map[string]int64, len(raisable))
	for _, r := range raisable {
		ceilings[r.name] = r.ceiling
	}
	return ceilings
}

func badMknod(name string) string {
	if !slices.Contains(MknodNames(), name) {
		return fmt.Sprintf("%q is none of the devices of which nodes may be made: %s", name, strings.Join(MknodNames(), ", "))
	}
	return ""
}

func badCeiling(value int64) string {
	if value < 0 {
		return fmt.Sprintf("%d is below 0, which is never to raise it", value)
	}
	return ""
}
