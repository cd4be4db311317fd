package policy

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rewriteDevices empties the list: the nodes are made already.
func rewriteDevices(spec *specs.Spec, _ *rewrite) {
	spec.Linux.Devices = nil
}

// rewriteDeviceRules puts the decision's rules in the place of the client's.
func rewriteDeviceRules(spec *specs.Spec, r *rewrite) {
	var resources specs.LinuxResources
	if spec.Linux.Resources != nil {
		resources = *spec.Linux.Resources
	}
	resources.Devices = slices.Clone(r.decision.Rules)
	spec.Linux.Resources = &resources
}
