// Package integration tests the runtime as a black box: the built shim, under a
// containerd of its own (package testbed), with real containers.
//
// Its tests are named after the promises that they hold the runtime to
// (TestP08_…), after the shapes of containers (TestShapes_…) and after what must
// be refused (TestBadInput_…). They need root. What the machine cannot do is
// skipped, with the reason.
package integration
