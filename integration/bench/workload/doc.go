// Command workload does small things with the kernel, on demand, inside a
// container. It is the half of the benchmark's data-path table that runs where the
// time is spent.
//
// It reads lines "operation count" from its standard input, does the operation
// count times, and answers each line with one of
//
//	ok nanoseconds
//	error what went wrong
//
// The time is that of the repetitions alone: what an operation prepares, it
// prepares before its first repetition. The program is linked statically, keeps
// its collector off and allocates nothing while it measures, so that what differs
// between two containers is what the kernel does for them.
//
// Its root file system must be writable, and have /bin/busybox and /etc/passwd; a
// volume may be mounted at /volume. The operation run needs a command as this program's
// arguments.
package main
