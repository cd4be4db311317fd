// Package seccomp is the agent of a container: it answers the system calls that the filter
// of its processes hands over, seccomp_unotify(2).
//
// It shows the container itself: a new proc or sysfs is made with the pseudo-files in place,
// pseudo-files stay where they are, and system calls say what the files say. docs/syscalls.md
// has a row for each call.
//
// # Contract
//
//   - There are four answers: the kernel goes on, an error, a value, a descriptor. The zero
//     answer is an error. A handler that panics fails its call with ENOSYS.
//   - The caller is looked at by its number, which may be another's by the time: whether it still
//     waits is asked after the last look and before the first effect.
//   - A caller that cannot be told what was done, because it was killed or a signal came, finds it
//     undone: before its next call is looked at.
//   - Paths lead where they lead the caller: from its root and working directory, in its mount
//     and network namespace, through its /proc/self. Rights are found out as ns_capable() of the
//     kernel does it. What can only be seen or done in a namespace is seen or done by a thread that
//     goes there and ends; in a pid or user namespace, by a child that nobody in it can see.
//   - While the caller has its answer, no descriptor of a mount is open here, which would make it
//     busy.
//   - A request that hangs, in a FUSE of the container for one, holds up seven more of the same
//     container, and nobody else. Close waits for nothing.
//
// # No security boundary
//
// A call that the agent lets go on is performed by the kernel with what the caller's memory and
// the file system hold by then, and not with what was looked at. So where that matters the agent
// performs the call itself, or refuses it; and nothing that the host has to be protected from
// depends on it, but on the container's user namespace, on mounts that are locked, on its cgroup.
// Effects are in the caller's own mount namespace only: the kernel sees to that, too. Who cheats
// the agent sees a number of the host. What the agent adds to a mount namespace that the kernel would
// not (a new proc in a user namespace that was made inside) is locked by the kernel.
//
// Nothing is opened for reading by a path that leads through what a caller can mount or link.
//
// # What it does not do
//
// It looks at no call but those of the table, decides no policy, and reads no file of the host on
// behalf of a container. It does not keep processes from seeing the kernel's own files at any
// price: mount_setattr(2), fsconfig(2) and open_tree_attr(2) are not looked at, and neither is what a
// process does to mounts in a mount namespace whose pseudo-files it can move as a whole. It does
// not say EBUSY where the kernel would for a proc with pseudo-files that is in use: that is
// detached, and goes when it is used no more. What it walks and makes has the rights of the shim,
// where the caller might have got EACCES for a directory on the way. It keeps nothing that belongs
// to a caller when the call is over but for three things, for a while: a copied tree of which it has
// given a directory (type kept), one of which it makes more copies (type models), and what was done
// last (type recent).
package seccomp
