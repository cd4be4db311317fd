// Package engine asks container engines what they know: containerd over gRPC, and
// Docker over HTTP, at their sockets on this host.
//
// It is for the program eci, which looks up the content of images for package image
// and for the administrator's pins. The shim must not import it: both protocols
// together would double the packages that every start of a container initialises.
//
// It only reads. What engines say about names is their word, good for messages and
// for an administrator who pins a name at a moment of his choice; it is never good
// for a decision about a container.
package engine
