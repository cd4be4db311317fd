// Package linux holds thin wrappers around the system calls this project
// needs and the standard library lacks. It is the only package that may use
// unsafe and assembly.
//
// The contract, for every function:
//
//   - it takes and gives [*os.File], never a bare descriptor number; what it
//     opens is close-on-exec;
//   - a nil *os.File as a directory stands for the working directory;
//   - EINTR is retried;
//   - an error is an [*os.PathError] (when a file is concerned) or an
//     [*os.SyscallError], both wrapping a [syscall.Errno];
//   - it decides nothing: no defaults, no fallbacks, no policy.
//
// What changes the state of a thread (mount namespace, file-system IDs, umask,
// working directory) must run inside [OnThread].
package linux
