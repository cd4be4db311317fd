// Package idmap gives a container host IDs of its own and mounts files for it
// so that their owners on disk stay what they are.
//
// Three things, in the order in which a container acquires them:
//
//   - a [Range] of host user and group IDs, claimed from a [Pool], which is a
//     directory with one symbolic link per claim;
//   - a user namespace that carries the mapping, [NewUserNamespace];
//   - a staged file tree, built inside [RunStage]: the root file system
//     ([Stage.Rootfs]), volumes ([Source], [Stage.Volume]), /dev ([Stage.Dev])
//     and tmpfs, every mount of it ID-mapped or made with shifted owners. When
//     the container's mount namespace is copied from there into its user
//     namespace, the kernel locks the flags of every mount.
//
// Nothing is ever chowned. What cannot be ID-mapped is an
// [*UnsupportedError], never a file owned by nobody.
//
// The package knows neither OCI specs nor containerd, and decides nothing: the
// caller says which source may go where. It does not undo: the tree lies in the
// caller's private mount namespace and is unmounted there.
package idmap
