// Package broker stands between a container and the socket of an engine that speaks
// Docker's API, and lets pass what a list of commands allows.
//
// It is served by the program eci, one process for each socket that a container was
// given, started by the shim and gone with it (see [Run]).
//
// A request is read by Go's HTTP server, judged by a table of Docker's API (routes),
// and written anew to a connection of its own, which the engine is told to close
// afterwards: no byte of a client reaches the engine as it was sent, so that the two
// cannot read one message as two. What is not in the table is refused, under either
// type of list. Only where the engine has switched protocols (attach, exec, BuildKit)
// bytes are copied without a look, in the kernel; and so is the rest of an answer, to
// a client that sends nothing more.
//
// What it does not do: it looks at no body. Whoever may create containers through it
// may ask for any mount; that is for the runtime of those containers to decide, and
// docs/threat-model.md says what follows. An answer is passed on as it is. Trailers
// and HTTP/2 without an upgrade are not part of Docker's API and are dropped.
package broker
