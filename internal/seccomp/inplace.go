package seccomp

import (
	"slices"
	"strings"

	"github.com/eci-runtime/eci/internal/linux"
)

// inPlace tells whether something would show of a proc or sysfs that pseudo-files hide, if what a
// path leads to were taken away: it is a mount of one of them, or a part of the proc itself that
// is mounted again, read-only for one, and carries them. The answer to that is EINVAL, which the
// kernel has for mounts that are locked. Copies elsewhere are the container's own affair.
//
// A mount that the caller cannot reach from its root directory is taken for one in place.
func (r *request) inPlace(s linux.Seen) bool {
	pseudo := r.c.Files.Dev()
	if !s.Root || s.Dev != pseudo && kernelFS[s.Magic].fstype == "" {
		return false
	}
	mounts, err := r.t.mounts()
	if err != nil {
		return true
	}
	m, ok := mounts[s.ID]
	if !ok {
		return s.Dev == pseudo
	}
	return overKernel(mounts, m, pseudo) && (s.Dev == pseudo || carries(mounts, s.ID, pseudo) && !hidesOthers(mounts, m, pseudo))
}

// hidesOthers tells whether what a mount is on has pseudo-files in the same place: then it was
// mounted over them, and they show when it is gone.
func hidesOthers(mounts map[uint64]mounted, m mounted, pseudo uint64) bool {
	for _, at := range mounts {
		if at.dev == pseudo && at.parent == m.parent && strings.HasPrefix(at.point, m.point+"/") {
			return true
		}
	}
	return false
}

// overKernel tells whether a mount covers a node of proc or sysfs, and no pseudo-file in between
// does.
func overKernel(mounts map[uint64]mounted, m mounted, pseudo uint64) bool {
	for range len(mounts) {
		below, ok := mounts[m.parent]
		switch {
		case !ok:
			return m.dev == pseudo
		case below.point != m.point:
			_, ok = kernelTypeOf(below.fstype)
			return ok
		case below.dev == pseudo:
			return false
		}
		m = below
	}
	return false
}

// carries tells whether a pseudo-file is mounted on a mount, or on one that is.
func carries(mounts map[uint64]mounted, id, pseudo uint64) bool {
	return slices.ContainsFunc(mountedOn(mounts, id), func(m mounted) bool { return m.dev == pseudo })
}
