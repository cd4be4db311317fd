package seccomp

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// maker is who calls mknod(2): what the kernel looks at when it makes a file.
type maker struct {
	fsuid, fsgid uint32 // host IDs
	groups       []uint32
	caps         uint64 // effective, in its user namespace
	umask        uint32
	uids, gids   []extent // of its user namespace
}

// extent is a part of a mapping: host IDs from first to last.
type extent struct{ first, last uint32 }

// maker is the caller, if it is one who may have nodes made: it holds CAP_MKNOD in the user
// namespace of the container. One in a namespace that it has made inside is not, as on a
// host: everybody can make one, and have every capability there.
func (r *request) maker() (*maker, bool) {
	creds, err := r.t.creds()
	if err != nil || creds.caps&(1<<unix.CAP_MKNOD) == 0 {
		return nil, false
	}
	m := &maker{
		fsuid: creds.fsuid, fsgid: creds.fsgid, groups: creds.groups,
		caps: creds.caps, umask: creds.umask,
	}
	ns, err := r.t.namespace("user")
	if err != nil {
		return nil, false
	}
	defer ns.Close()
	if top, err := isTop(ns); err != nil || !top {
		return nil, false
	}
	if m.uids, err = mapping(r.t.pid, "uid_map", r.c.IDs); err != nil {
		return nil, false
	}
	if m.gids, err = mapping(r.t.pid, "gid_map", r.c.IDs); err != nil {
		return nil, false
	}
	m.groups = slices.DeleteFunc(slices.Clone(m.groups), func(g uint32) bool { return !contains(m.gids, g) })
	return m, contains(m.uids, m.fsuid) && contains(m.gids, m.fsgid)
}

// isTop tells whether a user namespace is a child of the shim's: the container's, or its pod's,
// and none that was made inside.
func isTop(ns *os.File) (bool, error) {
	parent, err := linux.ParentNS(ns)
	if err != nil {
		return false, err
	}
	defer parent.Close()
	own, err := linux.OpenNS(0, "user")
	if err != nil {
		return false, err
	}
	defer own.Close()
	return linux.SameFile(parent, own)
}

// mapping reads the mapping of a user namespace, in the shim's IDs; user_namespaces(7). It
// is an error if one of them is not within ids.
func mapping(pid int, name string, ids Range) ([]extent, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
	if err != nil {
		return nil, err
	}
	var out []extent
	for line := range strings.Lines(string(data)) {
		var inside, first, count uint64
		if _, err := fmt.Sscan(line, &inside, &first, &count); err != nil {
			return nil, err
		}
		end := first + count
		if count == 0 || first < uint64(ids.Base) || end > uint64(ids.Base)+uint64(ids.Size) {
			return nil, fmt.Errorf("%s: %d-%d is not within %d-%d", name, first, end-1, ids.Base, uint64(ids.Base)+uint64(ids.Size)-1)
		}
		out = append(out, extent{uint32(first), uint32(end - 1)})
	}
	return out, nil
}

func contains(ids []extent, id uint32) bool {
	return slices.ContainsFunc(ids, func(e extent) bool { return e.first <= id && id <= e.last })
}

// owns tells whether the capabilities of the maker count for a file.
func (m *maker) owns(st linux.Stat) bool { return contains(m.uids, st.UID) && contains(m.gids, st.GID) }

// become makes the calling thread touch files as the maker would, without a capability; only
// in [linux.OnThread].
func (m *maker) become() error {
	if err := linux.SetGroups(m.groups); err != nil {
		return err
	}
	if err := linux.SetFSIDs(m.fsuid, m.fsgid); err != nil {
		return err
	}
	unix.Umask(int(m.umask))
	return linux.SetEffectiveCaps(0)
}
