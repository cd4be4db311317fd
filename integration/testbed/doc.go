// Package testbed runs a containerd of its own in a temporary directory, so that
// the integration tests, the demo and the benchmark try the runtime as a black
// box without touching a daemon of the host.
//
// A bed is one directory with short paths: containerd's root, state and sockets,
// the sockets of its shims, runc's state, the FIFOs of the containers, and a
// configuration of the runtime whose state directory lies there too. Its
// containers live in a containerd namespace and below a cgroup that carry the
// bed's name. So everything that a bed leaves behind can be found by name
// (Leftovers) and is removed by Close, however the tests ended; what a killed
// test left is removed by the next Start.
//
// The package waits for events, never for times: every wait ends as soon as the
// thing it waits for is there, and a deadline only bounds a failure.
//
// It needs root, and works on cgroup v1 and v2, with and without
// CAP_SYS_RESOURCE. It is no library for production: it offers what tests need,
// and it never asserts anything.
package testbed
