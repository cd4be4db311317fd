package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// annotationPrefix begins the annotations that are for the policy.
const annotationPrefix = "eci.containerd.io/"

// tightening is an annotation that makes the policy stricter.
type tightening struct {
	name string // without the prefix

	// rule is the one that the annotation is about. It is enforced then, whatever
	// its mode was: else the annotation would be a word without effect.
	rule string

	// apply changes the configuration, or says what is wrong with the value. All
	// are the rules that exist.
	apply func(cfg *Config, value string, all []rule) string
}

var tightenings = []tightening{
	{name: "enforce", apply: enforce},
	{name: "restricted-mounts", rule: ruleRestrictedMount, apply: restrictMounts},
	{name: "devices", apply: word("none", func(c *Config) { c.Devices.Allow = []string{} })},
	{name: "engine-sockets", rule: ruleEngineSocket, apply: word("none", func(c *Config) { c.Sockets.Images = nil })},
	{name: "hooks", rule: ruleHook, apply: word("none", func(c *Config) { c.Hooks.Allow = []string{} })},
	{name: "require-own-network", apply: word("true", func(c *Config) { c.Namespaces.RequireOwn = true })},
	{name: "mknod", apply: word("none", func(c *Config) { c.Emulation.Mknod = []string{} })},
	{name: "systemd", apply: systemdMode},
	{name: "sysctl-ceilings", apply: word("none", func(c *Config) { c.Sysctl.Ceilings = map[string]int64{} })},
}

// Tighten gives the configuration for a container with these annotations. Those that
// begin with eci.containerd.io/ make it stricter, never wider; doing it twice is doing
// it once. The error is a [*Violation].
func Tighten(cfg Config, annotations map[string]string) (Config, error) {
	cfg, v := tighten(cfg, annotations, rules)
	if v != nil {
		v.Rule = ruleAnnotation
		return Config{}, v
	}
	return cfg, nil
}

func tighten(cfg Config, annotations map[string]string, all []rule) (Config, *Violation) {
	keys := slices.Sorted(func(yield func(string) bool) {
		for key := range annotations {
			if strings.HasPrefix(key, annotationPrefix) && !yield(key) {
				return
			}
		}
	})
	if len(keys) == 0 {
		return cfg, nil
	}
	cfg.Rules = maps.Clone(cfg.Rules)
	for _, key := range keys {
		field := fmt.Sprintf("annotations[%q]", key)
		i := slices.IndexFunc(tightenings, func(t tightening) bool { return annotationPrefix+t.name == key })
		if i < 0 {
			return cfg, malformed(field, "there is no annotation of this name; there are %s", strings.Join(Annotations(), ", "))
		}
		if reason := tightenings[i].apply(&cfg, annotations[key], all); reason != "" {
			return cfg, malformed(field, "%s", reason)
		}
		delete(cfg.Rules, tightenings[i].rule)
	}
	return cfg, nil
}

// Annotations names what [Tighten] knows, in order.
func Annotations() []string {
	names := make([]string, len(tightenings))
	for i, t := range tightenings {
		names[i] = annotationPrefix + t.name
	}
	return names
}

// word is a tightening that has one value.
func word(want string, change func(*Config)) func(*Config, string, []rule) string {
	return func(cfg *Config, value string, _ []rule) string {
		if value != want {
			return fmt.Sprintf("%q is not %q, the only value that there is", value, want)
		}
		change(cfg)
		return ""
	}
}

// enforce takes the modes of rules back.
func enforce(cfg *Config, value string, all []rule) string {
	if value == "all" {
		cfg.Rules = nil
		return ""
	}
	for name := range strings.SplitSeq(value, ",") {
		if !slices.ContainsFunc(all, func(r rule) bool { return r.name == name }) {
			return fmt.Sprintf("there is no rule %q", name)
		}
		delete(cfg.Rules, name)
	}
	return ""
}

// restrictMounts adds paths that nothing else opens again.
func restrictMounts(cfg *Config, value string, _ []rule) string {
	list := slices.Clone(cfg.Mounts.Rules)
	for p := range strings.SplitSeq(strings.ReplaceAll(value, ":", ","), ",") {
		if reason := badPattern(p); reason != "" {
			return reason
		}
		list = slices.DeleteFunc(list, func(r PathRule) bool { return r.Path == p })
		list = append(list, PathRule{Path: p, Access: Restricted, Final: true})
	}
	cfg.Mounts.Rules = list
	return ""
}
