package host

import (
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// table is the mount table of a host, ready to be asked.
type table struct {
	all  []*mountinfo.Info
	byID map[uint64]*mountinfo.Info
	// byDevice are the mounts of each file system. A subvolume of btrfs has a
	// device number of its own in stat(2), but not here.
	byDevice map[uint64][]*mountinfo.Info
	uppers   []upper
	points   map[string]*mountinfo.Info // what is mounted on top, by its mount point
	root     *mountinfo.Info            // what is mounted at /, nil if nothing is
	state    uint64                     // see View
}

// upper is the directory of an overlay in which its changes lie.
type upper struct {
	path string
	at   *mountinfo.Info
}

func newTable(all []*mountinfo.Info) *table {
	t := &table{
		all:      all,
		byID:     make(map[uint64]*mountinfo.Info, len(all)),
		byDevice: make(map[uint64][]*mountinfo.Info, len(all)),
		points:   make(map[string]*mountinfo.Info, len(all)),
	}
	for _, m := range all {
		t.byID[uint64(m.ID)] = m
		t.points[m.Mountpoint] = m
		t.byDevice[deviceOf(m)] = append(t.byDevice[deviceOf(m)], m)
		if m.Mountpoint == "/" {
			t.root = m
		}
		if m.FSType == "overlay" {
			if dir := upperOf(m); dir != "" {
				t.uppers = append(t.uppers, upper{dir, m})
			}
		}
	}
	return t
}

func deviceOf(m *mountinfo.Info) uint64 { return unix.Mkdev(uint32(m.Major), uint32(m.Minor)) }

// deviceOf is the file system that a file lies on, by the number that the table has for
// it; 0 if it is in a mount that the table does not have.
func (t *table) deviceOf(st linux.Stat) uint64 {
	if m := t.byID[st.MountID]; m != nil {
		return deviceOf(m)
	}
	return 0
}

// object is something in a file system, whatever it is called.
type object struct {
	mount *mountinfo.Info
	path  string // one of its names: where it was opened
	inner string // its path inside the file system
}

// object finds what lies at a path of the host, in the mount with the given ID.
func (t *table) object(path string, mountID uint64) (object, bool) {
	m, ok := t.byID[mountID]
	if !ok || !within(path, m.Mountpoint) {
		return object{}, false
	}
	return object{m, path, under(m.Root, beyond(path, m.Mountpoint))}, true
}

// names are all paths by which the table shows an object; the one at which it was
// opened is the first.
func (t *table) names(o object) []string {
	names := []string{o.path}
	for _, m := range t.byDevice[deviceOf(o.mount)] {
		if m != o.mount && within(o.inner, m.Root) {
			names = add(names, under(m.Mountpoint, beyond(o.inner, m.Root)))
		}
	}
	// What an overlay writes, it writes into its upper layer.
	for _, name := range names {
		for _, u := range t.uppers {
			if within(name, u.path) {
				names = add(names, under(u.at.Mountpoint, beyond(name, u.path)))
			}
		}
	}
	return names
}

// held are the parts of an object with the given names that the table shows
// elsewhere: each by its name below the object, and by the other one.
func (t *table) held(o object, names []string) []policy.Submount {
	var held []policy.Submount
	part := func(rest string, m *mountinfo.Info) {
		held = append(held, policy.Submount{Paths: []string{under(o.path, rest), m.Mountpoint}, FileSystem: o.mount.FSType, Part: true})
	}
	for _, m := range t.byDevice[deviceOf(o.mount)] {
		if m.Root != o.inner && within(m.Root, o.inner) && !within(m.Mountpoint, o.path) {
			part(beyond(m.Root, o.inner), m)
		}
	}
	for _, u := range t.uppers {
		for _, name := range names {
			if u.path != name && within(u.path, name) && !within(u.at.Mountpoint, o.path) {
				part(beyond(u.path, name), u.at)
				break
			}
		}
	}
	return held
}

// below are the mounts strictly below a path, hidden ones included.
func (t *table) below(path string) []object {
	var below []object
	for _, m := range t.all {
		if m.Mountpoint != path && within(m.Mountpoint, path) {
			below = append(below, object{m, m.Mountpoint, m.Root})
		}
	}
	return below
}

func add(names []string, name string) []string {
	for _, n := range names {
		if n == name {
			return names
		}
	}
	return append(names, name)
}

// within tells whether path is dir or lies below it; both are clean.
func within(path, dir string) bool {
	return dir == "/" || strings.HasPrefix(path, dir) && (len(path) == len(dir) || path[len(dir)] == '/')
}

// beyond is what follows dir in a path that is within it: "" or "/…".
func beyond(path, dir string) string {
	switch {
	case path == dir:
		return ""
	case dir == "/":
		return path
	}
	return path[len(dir):]
}

// under is the path whose beyond is rest.
func under(dir, rest string) string {
	switch {
	case rest == "":
		return dir
	case dir == "/":
		return rest
	}
	return dir + rest
}
