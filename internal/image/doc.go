// Package image finds out what a container's root file system was made from, and
// proves it: the chain of committed layers under the container's own one, as the
// engine that made it keeps them (ADR 9).
//
// It is for the rule engine-socket, by way of the program eci, which the shim runs
// when a spec asks for an engine's socket. What it is told by a client, the spec and
// the mounts of the create request, it compares with what the engine has under the
// container's name; a root file system that is not that one has no chain. Where
// nothing can be proven the result says why, and is no error: the policy refuses.
//
// Two stores are known: containerd's snapshots, whose committed names are chain IDs,
// and the layer database of dockerd's own graph drivers overlay2 and vfs. Others
// (BuildKit, Podman, CRI-O) keep no name for a container that could be trusted.
//
// What it does not do: it proves nothing about the container's own layer, which its
// client may have written to, nor about the program that is started. Whoever chooses
// the image of a container chooses its command, too. And it trusts the files below
// the engines' own directories, which only root can change.
package image
