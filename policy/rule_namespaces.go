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

// checkHostNamespaces keeps P04: to leave a namespace out is to share the host's,
// and so is a path that leads to it. A path to the host's user namespace is no wish
// that could be granted, and P02 ignores it.
func checkHostNamespaces(r *request, _ *Decision) *Violation {
	var shared []string
	for _, t := range slices.Concat(own, given) {
		i := slices.IndexFunc(r.spec.Linux.Namespaces, isType(t))
		absent := i < 0 && slices.Contains(own, t)
		if absent || t != specs.UserNamespace && i >= 0 && r.leadsToHost(i) {
			shared = append(shared, string(t))
		}
	}
	if len(shared) == 0 {
		return nil
	}
	return sharesHost(shared)
}

// sharesHost says it with the sentences of Sysbox and of Docker's Enhanced Container
// Isolation, which people and scripts know.
func sharesHost(types []string) *Violation {
	const why = "with the host (because they use the linux user-namespace for isolation)"
	if slices.Equal(types, []string{string(specs.NetworkNamespace)}) {
		return denied("linux.namespaces", "invalid or unsupported container spec: eci containers can't share a network namespace %s", why)
	}
	return denied("linux.namespaces", "invalid or unsupported container spec: eci containers can't share namespaces [%s] %s", strings.Join(types, " "), why)
}

// leadsToHost tells whether namespace i of the spec is the host's, by its path.
func (r *request) leadsToHost(i int) bool {
	ns, fact := r.spec.Linux.Namespaces[i], r.facts.Namespaces[i]
	return ns.Path != "" && fact.Host && fact.Type == ns.Type
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
