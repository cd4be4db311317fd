package policy

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rules are looked at in order, and the first one that is broken wins. A rule
// may rely on those before it, and may add to the decision.
//
// Those with a reason in fixed are always enforced.
var rules = []rule{
	{name: ruleAnnotation, check: checkAnnotations, fixed: tightensOnly},
	{name: ruleStructure, check: checkStructure, fixed: malformedSpec},
	{name: ruleProcess, check: checkProcess, fixed: malformedSpec},
	{name: "namespace-list", check: checkNamespaceList, fixed: malformedSpec},
	{name: "host-namespace", check: checkHostNamespaces},
	{name: "namespace-path", check: checkNamespacePaths, fixed: theWall},
	{name: "time-namespace", check: checkTimeNamespace, fixed: notBuilt},
	{name: "mapping", check: checkMapping, fixed: theWall},
	{name: ruleUserIDs, check: checkUserIDs, fixed: theWall},
	{name: "mount-path", check: checkMountPaths, fixed: malformedSpec},
	{name: "mount-type", check: checkMountTypes, fixed: theWall},
	{name: "mount-options", check: checkMountOptions, fixed: malformedSpec},
	{name: "mount-mapping", check: checkMountMappings, fixed: theWall},
	{name: "dev-mount", check: checkDevMounts, fixed: theWall},
	{name: "volume-source", check: checkVolumeSources, fixed: theWall},
	{name: "rootfs", check: checkLayers},
	{name: ruleRestrictedMount, check: checkRestrictedMounts},
	{name: ruleEngineSocket, check: checkEngineSockets},
	{name: "device-rules", check: checkDeviceRules, fixed: malformedSpec},
	{name: "device", check: checkDevices, fixed: hasOwnKey},
	{name: "device-path", check: checkDevicePaths, fixed: malformedSpec},
	{name: "device-owner", check: checkDeviceOwners, fixed: theWall},
	{name: ruleCgroup, check: checkCgroup, fixed: theWall},
	{name: "sysctl", check: checkSysctls, fixed: theWall},
	{name: "net-device", check: checkNetDevices, fixed: notBuilt},
	{name: "seccomp-listener", check: checkSeccompListener, fixed: notBuilt},
	{name: ruleHook, check: checkHooks},
	{name: ruleScheduling, check: checkScheduling},
	{name: "cache-class", check: checkCacheClass},
}

// rule is one thing that a spec is held to.
type rule struct {
	name  string
	check func(*request, *Decision) *Violation
	fixed string // why its mode cannot be set; empty: it can
}

// Why modes of some rules cannot be set.
const (
	malformedSpec = "no container could be made of a spec that breaks it"
	theWall       = "isolation is made of it"
	tightensOnly  = "annotations can only make the policy stricter"
	hasOwnKey     = "devices.allow is its switch"
	notBuilt      = "this version, or this kernel, cannot do otherwise"
)

// The rules that are named elsewhere: by annotations, and for later processes and
// later limits.
const (
	ruleAnnotation      = "annotation"
	ruleStructure       = "structure"
	ruleProcess         = "process"
	ruleUserIDs         = "user-ids"
	ruleRestrictedMount = "restricted-mount"
	ruleEngineSocket    = "engine-socket"
	ruleCgroup          = "cgroup"
	ruleHook            = "hook"
	ruleScheduling      = "scheduling"
)

// Rules names the rules, in order.
func Rules() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.name
	}
	return names
}

// request is what rules look at. Only the rule for annotations writes to it.
type request struct {
	cfg   Config
	facts Facts
	spec  *specs.Spec

	all  []rule // the table, which its own functions cannot name
	rule string // the one that looks
	mode Mode   // its mode

	places *zones // made when a rule wants it
}

// zones are the rules for paths as they are on this host.
func (r *request) zones() *zones {
	if r.places == nil {
		r.places = newZones(r.cfg, r.facts)
	}
	return r.places
}

// tolerates tells whether a violation passes, because the rule only warns, and then
// writes it down. A rule that looks at several things asks before it returns a
// violation of the first, so that none of the others is missed.
func (r *request) tolerates(v *Violation, d *Decision) bool {
	if r.mode != Warn {
		return false
	}
	d.Findings = append(d.Findings, Finding{Rule: r.rule, Field: v.Field, Reason: v.Reason, Verdict: Warned})
	return true
}

// Check decides whether a container may start. It changes nothing of what it
// is given. The error is a [*Violation].
func Check(cfg Config, facts Facts, spec *specs.Spec) (Decision, error) {
	r := &request{cfg: cfg, facts: facts, spec: spec, all: rules}
	var d Decision
	for _, rule := range rules {
		if v := r.apply(rule, &d); v != nil {
			return Decision{}, v
		}
	}
	decideState(r, &d)
	return d, nil
}

// apply holds a rule against the request, as its mode says.
func (r *request) apply(rule rule, d *Decision) *Violation {
	r.rule, r.mode = rule.name, Enforce
	if rule.fixed == "" {
		r.mode = r.cfg.mode(rule.name)
	}
	if r.mode == Off {
		return nil
	}
	v := rule.check(r, d)
	if v == nil || r.tolerates(v, d) {
		return nil
	}
	v.Rule = rule.name
	return v
}

// CheckStructure is the rule that anybody who looks into a spec before [Check] relies on:
// the sections are there, and there is not too much of anything. The error is a [*Violation].
func CheckStructure(spec *specs.Spec) error {
	if v := checkStructure(&request{spec: spec}, nil); v != nil {
		v.Rule = ruleStructure
		return v
	}
	return nil
}

// CheckProcess decides whether a process may be started in a container that
// runs and has size IDs. The findings are what rules in the mode warn let pass.
// The error is a [*Violation].
func CheckProcess(cfg Config, p *specs.Process, size uint32) ([]Finding, error) {
	r := &request{cfg: cfg, spec: &specs.Spec{Process: p}}
	d := Decision{Size: size}
	for _, rule := range rules {
		if !slices.Contains(processRules, rule.name) {
			continue
		}
		if v := r.apply(rule, &d); v != nil {
			return nil, v
		}
	}
	return d.Findings, nil
}

// processRules hold for every process of a container, not for its first one only.
var processRules = []string{ruleProcess, ruleUserIDs, ruleScheduling}

// CheckResources decides whether a running container may get these resources. The
// error is a [*Violation].
func CheckResources(resources *specs.LinuxResources) error {
	if v := checkResources(resources); v != nil {
		v.Rule = ruleCgroup
		return v
	}
	return nil
}
