// Package host finds out what a container's spec asks for on this host: what the
// sources of its bind mounts and the layers of its root file system really are,
// whatever they are called, as [policy.Facts]. The runtime asks before it creates a
// container, the administrator's command to explain what it would do.
//
// Names are not things. Everything is opened once ([Opened]); what was opened is
// what the facts describe, and what is mounted later. A path is only how the mount
// table shows an object, and [Observe] finds all of them: where it was opened,
// through every other mount of the same file system, and, for what lies on an
// overlay, in its layers. The table is read once per container.
//
// So are namespaces that a spec gives by path ([OpenNamespaces]). Whose one is, is told by
// the user namespace that owns it, and that by the claims of this runtime's containers;
// of one that the host owns, by the processes in it, and it stays locked until the container
// that is judged by them is among them.
//
// What it cannot see: what a file system in user space (FUSE) or a server on the
// network shows; where the names lead that the host's own root file system, if that
// is an overlay, has for its layers, because they are names of another namespace; that an
// overlay shows what lies in a lower layer of it, by the layer's name; hard links to
// restricted files inside a directory that is mounted whole.
//
// The package reads, opens and locks. It changes nothing, mounts nothing and judges
// nothing.
package host
