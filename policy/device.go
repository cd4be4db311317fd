package policy

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// standard are the nodes that every container gets: "Default Devices" of the
// OCI runtime specification, runtime-linux.md.
var standard = []Device{
	{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666},
	{Path: "/dev/zero", Type: "c", Major: 1, Minor: 5, Mode: 0o666},
	{Path: "/dev/full", Type: "c", Major: 1, Minor: 7, Mode: 0o666},
	{Path: "/dev/random", Type: "c", Major: 1, Minor: 8, Mode: 0o666},
	{Path: "/dev/urandom", Type: "c", Major: 1, Minor: 9, Mode: 0o666},
	{Path: "/dev/tty", Type: "c", Major: 5, Minor: 0, Mode: 0o666},
}

// provided are the two default devices that are no nodes of ours. Whoever asks
// for them at their own path gets them: ptmx is a link into the container's
// devpts, and the console is the container's terminal, bound there by runc. A
// node with the console's numbers would be the console of the host.
var provided = map[id]string{
	{"c", 5, 1}: "/dev/console",
	{"c", 5, 2}: "/dev/ptmx",
}

// Access letters of the devices cgroup.
const (
	read  = 'r'
	write = 'w'
	mknod = 'm'
)

// wildcard stands for any number; so does an absent one.
const wildcard = -1

// isBulk tells whether a device rule allows everything, which is how engines
// write a privileged container.
func isBulk(r specs.LinuxDeviceCgroup) bool {
	return r.Allow && (r.Type == "" || r.Type == "a") && isAny(r.Major) && isAny(r.Minor) &&
		strings.ContainsAny(r.Access, "rw")
}

func isAny(n *int64) bool { return n == nil || *n == wildcard }

// matches tells whether a device rule is about the device.
func matches(r specs.LinuxDeviceCgroup, dev id) bool {
	return (r.Type == "" || r.Type == "a" || r.Type == dev.kind) &&
		(isAny(r.Major) || *r.Major == dev.major) &&
		(isAny(r.Minor) || *r.Minor == dev.minor)
}

// access gives what the rules, first to last, leave open for one device. The
// start is "nothing", whatever a cgroup's default is.
func access(rules []specs.LinuxDeviceCgroup, dev id) string {
	var open [3]bool
	letters := string([]rune{read, write, mknod})
	for _, r := range rules {
		if !matches(r, dev) {
			continue
		}
		for i, letter := range letters {
			if strings.ContainsRune(r.Access, letter) {
				open[i] = r.Allow
			}
		}
	}
	var s strings.Builder
	for i, letter := range letters {
		if open[i] {
			s.WriteRune(letter)
		}
	}
	return s.String()
}

// allow makes a device rule; a minor number of wildcard means all.
func allow(dev id, access string) specs.LinuxDeviceCgroup {
	rule := specs.LinuxDeviceCgroup{Allow: true, Type: dev.kind, Major: &dev.major, Access: access}
	if dev.minor != wildcard {
		rule.Minor = &dev.minor
	}
	return rule
}
