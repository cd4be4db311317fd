// Package eci is the root of a container runtime that isolates every container
// of a containerd daemon in a user namespace of its own, without an agent in the
// way of its system calls. It holds no code, only the tests of the architecture:
// who may import whom, how large a file may grow, and that the documents agree
// with the sources.
//
// The rooms of the house are package shim, which serves and supervises, package
// policy, which decides, and package idmap, which maps identities. What a reader
// should see first is shim/isolate.go; docs/architecture.md tells the rest.
package eci
