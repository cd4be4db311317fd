package seccomp

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// extent of a mapping of a user namespace, user_namespaces(7): IDs of it, and of the shim's.
type mappedIDs struct{ inside, outside, count uint64 }

// idMap reads "uid_map" or "gid_map" of the caller's user namespace.
func (t *target) idMap(name string) ([]mappedIDs, error) {
	f, err := t.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	var out []mappedIDs
	for line := range strings.Lines(string(data)) {
		var m mappedIDs
		if _, err := fmt.Sscan(line, &m.inside, &m.outside, &m.count); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		out = append(out, m)
	}
	return out, nil
}

// numberInside is the number that a host ID has in the caller's user namespace. EINVAL: none.
func (t *target) numberInside(name string, host uint32) (uint32, error) {
	all, err := t.idMap(name)
	if err != nil {
		return 0, err
	}
	for _, m := range all {
		if n := uint64(host); n >= m.outside && n-m.outside < m.count {
			return uint32(m.inside + n - m.outside), nil
		}
	}
	return 0, unix.EINVAL
}

// numberOutside is the host ID of a number of the caller's. EINVAL: none.
func (t *target) numberOutside(name string, inside uint32) (uint32, error) {
	all, err := t.idMap(name)
	if err != nil {
		return 0, err
	}
	for _, m := range all {
		if n := uint64(inside); n >= m.inside && n-m.inside < m.count {
			return uint32(m.outside + n - m.inside), nil
		}
	}
	return 0, unix.EINVAL
}
