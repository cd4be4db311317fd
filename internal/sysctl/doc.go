// Package sysctl raises settings of the host for containers, and lowers them again when the
// containers that asked for it are gone: those settings that the kernel has once for all, and
// that must take effect for a container to work (net.netfilter.nf_conntrack_max).
//
// The host's value is the maximum of its own original value and of what living containers ask
// for, of each no more than the administrator's ceiling. A setting without a ceiling is never
// raised; no setting is ever made lower than it was.
//
// The database is a directory of symbolic links, like that of ID ranges (package idmap): `ls
// -l` is the debugger. Whoever changes it, or the host's value, holds flock(2) on it. Each step
// is one system call and can be the last one before a crash; the next caller, in whatever
// process, goes on from there. A claim whose owner does not exist any more is swept.
//
// What the administrator writes to the setting meanwhile becomes its original value.
//
// It does not decide who may ask for what, and it does not look at a container's own copy of a
// setting (package pseudofs).
package sysctl
