package policy

import (
	"fmt"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Grant is what was acquired for a container.
type Grant struct {
	// Base is the host ID of the container's root; Size is how many IDs follow
	// from there on. Where the decision adopted a mapping they are its own.
	Base uint32
	Size uint32

	// UserNS is the path of the user namespace that was decided to be joined, for
	// runc; empty means that runc makes one with the mapping.
	UserNS string

	// Namespaces are the paths of the other namespaces to join, by index into
	// linux.namespaces, for each in Decision.Joins.
	Namespaces map[int]string

	// Root is the absolute path of the staged rootfs.
	Root string

	// Dev is the absolute path from which runc binds the staged /dev. It is not
	// below Root: runc follows links when it opens it, and what lies in the
	// rootfs may be somebody else's to change.
	Dev string

	// Listener is the absolute path of the socket on which the agent waits for what runc
	// sends it. Empty if and only if the agent has nothing to answer (Decision.Intercepts).
	Listener string

	// Volumes are the absolute paths of the prepared binds, by index into the
	// mounts of the spec, for each mount that is Cloned.
	Volumes map[int]string
}

// mapping is the one extent that users and groups get.
func (g Grant) mapping() specs.LinuxIDMapping {
	return specs.LinuxIDMapping{ContainerID: 0, HostID: g.Base, Size: g.Size}
}

// fits refuses a grant that is not the one that was decided about.
func (g Grant) fits(spec *specs.Spec, d Decision, placements []Placement) error {
	switch {
	case len(placements) != len(spec.Mounts):
		return fmt.Errorf("%w: %d placements for %d mounts", ErrGrant, len(placements), len(spec.Mounts))
	case g.Base < MinHostID || g.Size < MinSize || last(g.Base, g.Size) > maxHostID:
		return fmt.Errorf("%w: the range %s is not one for a container", ErrGrant, show(g.mapping()))
	case g.Size != d.Size:
		return fmt.Errorf("%w: %d IDs were granted, %d decided", ErrGrant, g.Size, d.Size)
	case d.Mapping != nil && *d.Mapping != g.mapping():
		return fmt.Errorf("%w: %s was granted, but the caller's mapping is %s", ErrGrant, show(g.mapping()), show(*d.Mapping))
	case !path.IsAbs(g.Root) || !path.IsAbs(g.Dev):
		return fmt.Errorf("%w: the staged rootfs %q or /dev %q is not an absolute path", ErrGrant, g.Root, g.Dev)
	case below(path.Clean(g.Dev), path.Clean(g.Root)):
		return fmt.Errorf("%w: the staged /dev %q lies in the rootfs", ErrGrant, g.Dev)
	case d.Join != nil && d.Join.Mapping != g.mapping():
		return fmt.Errorf("%w: %s was granted, but the container to join has %s", ErrGrant, show(g.mapping()), show(d.Join.Mapping))
	case (d.UserNS != 0) != path.IsAbs(g.UserNS) || d.UserNS == 0 && g.UserNS != "":
		return fmt.Errorf("%w: the user namespace %q does not go with the one that was decided (%d)", ErrGrant, g.UserNS, d.UserNS)
	case (len(d.Intercepts) > 0) != path.IsAbs(g.Listener) || len(d.Intercepts) == 0 && g.Listener != "":
		return fmt.Errorf("%w: the listener %q does not go with the system calls that were decided about (%d)", ErrGrant, g.Listener, len(d.Intercepts))
	}
	for _, i := range d.Joins {
		if !path.IsAbs(g.Namespaces[i]) {
			return fmt.Errorf("%w: the namespace %d at %q was not opened", ErrGrant, i, g.Namespaces[i])
		}
	}
	for i, p := range placements {
		if err := g.places(i, spec.Mounts[i], p, d); err != nil {
			return err
		}
	}
	return nil
}

// places refuses a placement that would leave a bind of the host's to runc,
// or lose a mount.
func (g Grant) places(i int, m specs.Mount, p Placement, d Decision) error {
	ok := false
	switch p {
	case Staged:
		ok = IsBind(m) || m.Type == "tmpfs" || d.Makes(m)
	case Cloned:
		ok = (IsBind(m) || d.Makes(m)) && path.IsAbs(g.Volumes[i])
	case Delegated:
		ok = !IsBind(m)
	case Dev:
		ok = isDev(m) && !IsBind(m)
	}
	if !ok {
		return fmt.Errorf("%w: mount %d onto %q cannot be %q (volume %q)", ErrGrant, i, m.Destination, p, g.Volumes[i])
	}
	return nil
}
