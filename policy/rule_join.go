package policy

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkNamespacePaths keeps P05: what is joined belongs to one user namespace, which is
// a container's of this runtime and of the same containerd namespace, or one that the
// client made for this container. What is the host's was left to this rule because
// another one is not enforced.
func checkNamespacePaths(r *request, d *Decision) *Violation {
	if v := r.shareHost(d); v != nil {
		return v
	}
	for i, ns := range r.spec.Linux.Namespaces {
		if ns.Path == "" || r.leadsToHost(i) {
			continue
		}
		if v := r.joinable(i, ns); v != nil {
			return v
		}
		fact := r.facts.Namespaces[i]
		if fact.UserNS != 0 {
			if d.UserNS != 0 && d.UserNS != fact.UserNS {
				return denied(pathField(i), "the %s namespace %q and another one that is to be joined belong to different containers", ns.Type, ns.Path)
			}
			d.UserNS = fact.UserNS
		}
		if ns.Type != specs.UserNamespace {
			d.Joins = append(d.Joins, i)
		}
		d.Borrowed = d.Borrowed || fact.HostOwned
	}
	if d.Borrowed && r.cfg.Namespaces.RequireOwn {
		return denied("linux.namespaces", "the network namespace belongs to the host's user namespace; the administrator asks for one of the container's own (Kubernetes: hostUsers: false)")
	}
	return r.joinUsers(d)
}

// shareHost notes which namespaces are the host's. The mount namespace never is: a
// container is staged in one. Of cgroup, time and user namespace every container gets
// one, whatever the path.
func (r *request) shareHost(d *Decision) *Violation {
	for _, t := range own {
		i := slices.IndexFunc(r.spec.Linux.Namespaces, isType(t))
		switch {
		case i >= 0 && !r.leadsToHost(i):
		case t == specs.MountNamespace:
			return sharesHost([]string{string(t)})
		default:
			d.Host = append(d.Host, t)
			d.Borrowed = d.Borrowed || t == specs.NetworkNamespace
		}
	}
	return nil
}

// joinable says what about a namespace, looked at alone, forbids to join it.
func (r *request) joinable(i int, ns specs.LinuxNamespace) *Violation {
	fact, exists := r.facts.Namespaces[i]
	field := pathField(i)
	switch {
	case !exists:
		return malformed(field, "the %s namespace %q does not exist", ns.Type, ns.Path)
	case fact.Type == "":
		return malformed(field, "the %s namespace %q cannot be opened: %s", ns.Type, ns.Path, fact.Why)
	case fact.Type != ns.Type:
		return malformed(field, "%q leads to a namespace of the type %s, not %s", ns.Path, fact.Type, ns.Type)
	case ns.Type == specs.MountNamespace:
		return denied(field, "the mount namespace %q cannot be joined: every container has one of its own", ns.Path)
	case fact.HostOwned && ns.Type != specs.NetworkNamespace:
		return denied(field, "the %s namespace %q belongs to the host's user namespace, in which eci containers have no rights", ns.Type, ns.Path)
	case fact.UserNS == 0 && !fact.HostOwned:
		return denied(field, "nobody knows to whom the %s namespace %q belongs", ns.Type, ns.Path)
	case fact.Foreign:
		return denied(field, "the %s namespace %q is used by a container of another runtime, or by processes of the host", ns.Type, ns.Path)
	case fact.Nested:
		return denied(field, "the %s namespace %q was made inside a container, and cannot be joined from outside", ns.Type, ns.Path)
	case fact.Container != "" && path.Dir(fact.Container) != path.Dir(r.facts.Bundle):
		return denied(field, "the %s namespace %q belongs to a container of another containerd namespace", ns.Type, ns.Path)
	case fact.Container != "" && fact.HostOwned && fact.Pod != PodOf(r.spec.Annotations):
		return denied(field, "the %s namespace %q is used by a container of another pod", ns.Type, ns.Path)
	}
	return nil
}

// PodOf names the pod of a container by the annotations of its spec: Kubernetes', or the
// group that another client makes. Empty: it is in none.
func PodOf(annotations map[string]string) string {
	return cmp.Or(annotations["io.kubernetes.cri.sandbox-id"], annotations["io.containerd.runc.v2.group"])
}

// joinUsers decides about the user namespace that goes with what is joined: it is that
// of a container of ours, whose range is shared, or the client names it and brings its
// mapping, about which the rule mapping decides.
func (r *request) joinUsers(d *Decision) *Violation {
	if d.UserNS == 0 {
		return nil
	}
	i, fact := r.userNamespace(d.UserNS)
	path := r.spec.Linux.Namespaces[i].Path
	if fact.Container != "" {
		users, v := oneExtent(pathField(i), fact.UIDMappings)
		if v != nil {
			return v
		}
		if !isMapping(fact.GIDMappings, users) {
			return denied(pathField(i), "the user namespace that goes with %q maps users and groups differently", path)
		}
		d.Join = &Join{Container: fact.Container, Mapping: users}
		return nil
	}
	switch {
	case fact.Type != specs.UserNamespace:
		return denied(pathField(i), "the %s namespace %q belongs to a user namespace in which no container of this runtime lives, and the spec does not name it", fact.Type, path)
	case len(r.spec.Linux.UIDMappings) == 0 && len(r.spec.Linux.GIDMappings) == 0:
		return denied(pathField(i), "no container of this runtime lives in the user namespace %q, and the spec does not bring its mapping", path)
	}
	return nil
}

// userNamespace is the fact about the user namespace with that inode, and its index:
// the best that there is.
func (r *request) userNamespace(inode uint64) (at int, fact Namespace) {
	at = -1
	for i := range r.spec.Linux.Namespaces {
		f := r.facts.Namespaces[i]
		if f.UserNS != inode || f.Host {
			continue
		}
		if at < 0 || f.Type == specs.UserNamespace {
			at, fact = i, f
		}
	}
	return at, fact
}

func pathField(i int) string { return fmt.Sprintf("linux.namespaces[%d].path", i) }
