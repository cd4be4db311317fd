// Package audit writes the log of decisions: who was refused what, and what was
// granted, for the administrator and for the command eci, which reads it.
//
// The log is a file with one JSON object a line, or systemd's journal, or both. All
// lines of a decision are handed over in one system call, and the file is opened
// for every decision, so that it can be rotated. A disk that is full can leave part
// of a line; the next one begins on a line of its own all the same.
//
// The contract: when Write gives no error, every destination that the configuration
// names has taken every line, as far as the kernel tells without waiting for a disk.
// What to do about an error is the caller's: with policy.Audit.Required, to refuse.
//
// This package decides nothing, and keeps nothing between two calls. It does not
// wait for a disk (fsync(2)): that costs more than starting a container.
package audit
