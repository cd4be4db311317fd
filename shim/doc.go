// Package shim is the imperative shell of the runtime io.containerd.eci.v2: a
// containerd shim (runtime v2 task API) whose task service is runc's, with
// isolation put in front of Create.
//
// Its contract with containerd is that of containerd-shim-runc-v2: the same
// actions, options, events and files in the bundle. What it adds is read best
// in isolate.go, top to bottom: observe the host, let package policy decide,
// acquire what the container needs (package idmap), rewrite the OCI spec and
// delegate to stock runc; whatever was acquired is released in reverse.
//
// The package deliberately does not decide anything (that is package policy),
// holds no state that must survive it (claims are files, mounts die with its
// mount namespace), and never starts a container that it could not isolate.
package shim
