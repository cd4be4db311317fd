package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// own are the namespaces that a client has to ask for, because leaving one out
// means "the host's"; in the order in which they are named in messages.
var own = []specs.LinuxNamespaceType{
	specs.PIDNamespace,
	specs.NetworkNamespace,
	specs.IPCNamespace,
	specs.UTSNamespace,
	specs.MountNamespace,
}

// given are the namespaces that every container gets, asked for or not: no
// client says "the host's" by leaving them out, most do not know them.
var given = []specs.LinuxNamespaceType{
	specs.UserNamespace,
	specs.CgroupNamespace,
	specs.TimeNamespace,
}

// checkNamespaceList refuses what runc would refuse, so that nothing has been
// acquired by then, and so that the rules below may look a type up.
func checkNamespaceList(r *request, _ *Decision) *Violation {
	seen := map[specs.LinuxNamespaceType]bool{}
	for i, ns := range r.spec.Linux.Namespaces {
		field := fmt.Sprintf("linux.namespaces[%d].type", i)
		if !slices.Contains(own, ns.Type) && !slices.Contains(given, ns.Type) {
			return malformed(field, "there is no namespace of the type %q", ns.Type)
		}
		if seen[ns.Type] {
			return malformed(field, "the %s namespace is listed twice", ns.Type)
		}
		seen[ns.Type] = true
	}
	return nil
}

// checkHostNamespaces keeps P04. The sentences are those of Sysbox and of
// Docker's Enhanced Container Isolation, which people and scripts know.
func checkHostNamespaces(r *request, _ *Decision) *Violation {
	var missing []string
	for _, t := range own {
		if !slices.ContainsFunc(r.spec.Linux.Namespaces, isType(t)) {
			missing = append(missing, string(t))
		}
	}
	const why = "with the host (because they use the linux user-namespace for isolation)"
	switch {
	case len(missing) == 0:
		return nil
	case len(missing) == 1 && missing[0] == string(specs.NetworkNamespace):
		return denied("linux.namespaces", "invalid or unsupported container spec: eci containers can't share a network namespace %s", why)
	default:
		return denied("linux.namespaces", "invalid or unsupported container spec: eci containers can't share namespaces [%s] %s", strings.Join(missing, " "), why)
	}
}

// checkNamespacePaths refuses every join: which namespaces may be joined
// depends on who owns them, and that is not looked at yet.
func checkNamespacePaths(r *request, _ *Decision) *Violation {
	for i, ns := range r.spec.Linux.Namespaces {
		if ns.Path != "" {
			return unsupported(fmt.Sprintf("linux.namespaces[%d].path", i),
				"joining a namespace by path is not built yet: %s namespace %q; see docs/policy.md#namespace-path", ns.Type, ns.Path)
		}
	}
	return nil
}

func checkTimeNamespace(r *request, _ *Decision) *Violation {
	if !r.facts.TimeNamespace {
		return unsupported("linux.namespaces", "the kernel has no time namespaces; they need Linux 5.6 with CONFIG_TIME_NS")
	}
	return nil
}

func isType(t specs.LinuxNamespaceType) func(specs.LinuxNamespace) bool {
	return func(ns specs.LinuxNamespace) bool { return ns.Type == t }
}
