package policy

import "github.com/opencontainers/runtime-spec/specs-go"

// steps are done in order; each is about one field of the spec, and says what
// that field is for runc.
var steps = []struct {
	name string
	do   func(*specs.Spec, *rewrite)
}{
	{"root.path", rewriteRoot},
	{"linux.namespaces", rewriteNamespaces},
	{"linux.uidMappings", rewriteMappings},
	{"linux.timeOffsets", rewriteTimeOffsets},
	{"mounts", rewriteMounts},
	{"linux.devices", rewriteDevices},
	{"linux.resources.devices", rewriteDeviceRules},
	{"linux.sysctl", rewriteSysctls},
	{"linux.seccomp", rewriteSeccomp},
	{"hooks", rewriteHooks},
}

// rewrite is what steps look at.
type rewrite struct {
	decision   Decision
	placements []Placement
	grant      Grant
	facts      Facts
}

// Rewrite changes a spec that [Check] has passed, in place, into the one that
// runc gets. Everything that no step names stays as the client wrote it:
// capabilities, AppArmor, SELinux, rlimits, resources, annotations, masked
// paths. Errors wrap [ErrGrant], and then the spec is as
// it was.
func Rewrite(spec *specs.Spec, d Decision, placements []Placement, g Grant, facts Facts) error {
	if err := g.fits(spec, d, placements); err != nil {
		return err
	}
	r := &rewrite{decision: d, placements: placements, grant: g, facts: facts}
	for _, s := range steps {
		s.do(spec, r)
	}
	return nil
}
