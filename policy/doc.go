// Package policy is the pure core of the runtime: it decides whether a
// container may start, and what its OCI spec has to look like so that what
// was decided is what the kernel holds.
//
// # Contract
//
// Everything here is a function of values. What the administrator wants is a
// [Config], what the host really is are [Facts], what the client asks for is
// the spec; [Check] makes a [Decision] of them or returns a [*Violation].
// [Place] says which mounts are staged before runc runs. What the caller then
// acquired goes back in as a [Grant], and [Rewrite] changes the spec:
//
//	cfg, err := policy.Parse(name, data)
//	decision, err := policy.Check(cfg, facts, spec)
//	placements := policy.Place(spec.Mounts, targets)
//	// claim, mount, mknod …
//	err = policy.Rewrite(spec, decision, placements, grant, facts)
//
// The zero value denies: zero [Facts] know of no time namespace, of no bind
// source and of no device, and so refuse whatever needs one.
//
// Rules and rewrite steps are tables, in order; the first rule that is broken
// wins. Each rule is a heading of docs/policy.md.
//
// # What it does not do
//
// It opens nothing, asks the kernel nothing and logs nothing; it imports
// neither os nor net. A path of the spec is never taken for the thing that it
// names: what a bind source is stands in the facts, written by who opened it.
// It is no second runc: what runc and the kernel refuse by themselves, without
// harm to the host, is left to them.
package policy
