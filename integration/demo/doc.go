// Command demo shows what this runtime does to someone who meets it for the
// first time: real containers, each command under stock runc and under eci side
// by side, what came out, and what that means.
//
// It is a check as well: every row of every table is compared with what is
// promised, and the exit status is 0 only if all are as they should be.
//
//	go run ./integration/demo          # what `make demo` runs
//	go run ./integration/demo -stay    # then leave containerd there to play with
//
// What is printed behind a $ is what ran, byte for byte: lines go through sh,
// which finds a ctr that adds the address of the demo's own containerd. Nothing
// that is tried would harm the host if isolation failed, or under runc, where it
// does: values are written that are there already, and volumes are the demo's own.
//
// A scene is a file: its lines, and a pure function that judges what they wrote.
// It is not a test of the promises; those are in package integration.
package main
