// Package pseudofs shows a container itself in /proc and /sys: a FUSE file system whose files
// are mounted one by one over those nodes of the kernel that would show the host, or change it.
// The table of nodes is [nodes]; what is not in it stays the kernel's.
//
// An [FS] belongs to one container. [New] mounts it in the shim's own mount namespace,
// [FS.Cover] puts its files over a proc or sysfs that is attached somewhere, [FS.NewInstance]
// over one that is not yet. What a view shows comes from a [Source]; what the container wrote is
// in [Values], of which a pod shares those of the network.
//
// It keeps no promise of isolation: a container that gets at a node beneath sees numbers of the
// host, and is refused to write, by the kernel.
//
// # The kernel's cache
//
// Most reads never come here. OPEN is answered ENOSYS, after which the kernel opens by itself;
// pages stay in its cache until the attributes of a file have another modification time; and
// attributes are valid for as long as a rendering is: a few milliseconds for a view, for ever
// for a value that only a write changes (after a write the kernel asks at once). So each
// rendering that differs has a time of its own, and READ gives the text that the attributes were
// of. A text of at most a page is read whole.
//
// One thing the cache cannot do: length and text change one after the other. A read in the
// moment in which a view grows or shrinks may get the new text cut to the old length, or the
// old one with NUL bytes up to the new length. Eight readers that never rest saw it in less than
// one of 10,000 reads of a text whose length changed each time, on a machine that was far too busy in
// one of 100, and never where it did not; the
// kernel pads most numbers, so lengths seldom change.
//
// # Deadlocks
//
// go-fuse lists known deadlocks of a process that uses a file system that it serves (package
// comment of its fs/api.go, and of its fuse/api.go). The shim never reads these files, but opens
// them to mount them, forks, and ends. Of the list:
//
//   - A child between fork and exec that changes into a served directory asks for ACCESS: the
//     kernel checks permissions itself here (default_permissions). One that closes a served file
//     asks for FLUSH, and an epoll instance to which one is added for POLL: [prime] lets the
//     kernel learn that there is neither, before anybody else can open a file.
//   - A program that is executed from a served file: they cannot be executed (noexec).
//   - Memory that is mapped from a served file: nobody does.
//   - No free thread to answer with: one thread of each connection does nothing but read and
//     write, and a system call of the process itself that waits for an answer gives its processor
//     away, also where there is only one.
//
// And one that is not on it: a process that is killed while one of its threads waits for an
// answer of its own. That thread cannot die before it has one, nobody is left to give it, and the
// connection would not end, as the thread has it open like all others. So the thread that reads and
// writes has a table of descriptors for itself, and the connection is in no other
// ([linux.OnOwnTable]): it dies at once, the kernel ends the connection, and the one that waits
// gets ECONNABORTED.
//
// A file system has three goroutines that handle its requests. Who floods it keeps these busy,
// and not those of other containers.
//
// # Network namespaces
//
// /proc/sys/net shows the network namespace of whoever looks. [FS.Cover] therefore finds the
// nodes in it as a thread of the container's network namespace, for the kernel has other
// entries for others. Where a node is needed that a network namespace lacks, its directory is
// served whole, and what else the kernel has in it is passed through from the namespace of
// whoever asks, with the kernel's own permissions. Names in it are valid for no longer than a
// call, since another namespace may have others; but where the container's own namespace is
// seen, which is nearly always, they are valid for a moment.
//
// A write is done by the shim, who may do everything; so it looks at the writer's rights itself:
// CAP_NET_ADMIN over the network ([netAdmin]). And an open file stays what it was: who gets one of
// another network neither writes to his own through it, nor shows it ([netDirs.sees]).
package pseudofs
