package policy

import "github.com/opencontainers/runtime-spec/specs-go"

// rules are looked at in order, and the first one that is broken wins. A rule
// may rely on those before it, and may add to the decision.
var rules = []struct {
	name  string
	check func(*request, *Decision) *Violation
}{
	{"structure", checkStructure},
	{ruleProcess, checkProcess},
	{"namespace-list", checkNamespaceList},
	{"host-namespace", checkHostNamespaces},
	{"namespace-path", checkNamespacePaths},
	{"time-namespace", checkTimeNamespace},
	{"mapping", checkMapping},
	{ruleUserIDs, checkUserIDs},
	{"mount-path", checkMountPaths},
	{"mount-type", checkMountTypes},
	{"mount-options", checkMountOptions},
	{"mount-mapping", checkMountMappings},
	{"dev-mount", checkDevMounts},
	{"volume-source", checkVolumeSources},
	{"device-rules", checkDeviceRules},
	{"device", checkDevices},
	{"device-path", checkDevicePaths},
	{"device-owner", checkDeviceOwners},
	{ruleCgroup, checkCgroup},
	{"net-device", checkNetDevices},
	{"seccomp-listener", checkSeccompListener},
}

// The rules that hold for later processes, and for later limits, as well.
const (
	ruleProcess = "process"
	ruleUserIDs = "user-ids"
	ruleCgroup  = "cgroup"
)

// Rules names the rules, in order.
func Rules() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.name
	}
	return names
}

// request is what rules look at; none of them writes to it.
type request struct {
	cfg   Config
	facts Facts
	spec  *specs.Spec
}

// Check decides whether a container may start. It changes nothing of what it
// is given. The error is a [*Violation].
func Check(cfg Config, facts Facts, spec *specs.Spec) (Decision, error) {
	r := &request{cfg: cfg, facts: facts, spec: spec}
	var d Decision
	for _, rule := range rules {
		if v := rule.check(r, &d); v != nil {
			v.Rule = rule.name
			return Decision{}, v
		}
	}
	return d, nil
}

// CheckProcess decides whether a process may be started in a container that
// runs and has size IDs. The error is a [*Violation].
func CheckProcess(p *specs.Process, size uint32) error {
	if v := badProcess(p); v != nil {
		v.Rule = ruleProcess
		return v
	}
	if v := badUser(p.User, size); v != nil {
		v.Rule = ruleUserIDs
		return v
	}
	return nil
}

// CheckResources decides whether a running container may get these resources. The
// error is a [*Violation].
func CheckResources(resources *specs.LinuxResources) error {
	if v := checkResources(resources); v != nil {
		v.Rule = ruleCgroup
		return v
	}
	return nil
}
