package broker

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/eci-runtime/eci/policy"
)

// version begins the path of a request that is meant for a version of the API.
var version = regexp.MustCompile(`^/v[0-9.]+/`)

// verdict is what is to happen to a request. The zero value refuses.
type verdict struct {
	pass    bool
	upgrade string // the protocol that it may switch to
	command string // what is refused; "": a request that is in no table
	why     string // one sentence
}

// judge looks at a request whose path is canonical. All routes that it may be are
// looked at, whichever the engine will take it for.
func judge(c policy.Commands, method, path string, query url.Values) verdict {
	bare := path
	if at := version.FindString(path); at != "" {
		bare = path[len(at)-1:]
	}
	var v verdict
	for _, r := range routes {
		if r.method != method || !match(r.path, bare) || r.query != "" && query.Get(r.query) == "" {
			continue
		}
		if command, why := objection(c, r); why != "" {
			return verdict{command: command, why: fmt.Sprintf("%s (%s %s)", why, method, bare)}
		}
		if v.pass && v.upgrade != r.upgrade {
			v.upgrade = ""
			continue
		}
		v.pass, v.upgrade = true, r.upgrade
	}
	if !v.pass {
		v.why = fmt.Sprintf("this request is none of the docker commands that the administrator's policy knows (%s %s)", method, bare)
	}
	return v
}

// objection says which command is refused, and why.
func objection(c policy.Commands, r route) (command, why string) {
	switch c.Type {
	case "deny":
		work := slices.Concat(r.does, r.also)
		if i := slices.IndexFunc(work, c.Names); i >= 0 {
			return work[i], fmt.Sprintf("the command %q is denied by the administrator's policy", "docker "+work[i])
		}
		return "", ""
	case "allow":
		if r.always || slices.ContainsFunc(slices.Concat(r.does, r.serves), c.Names) {
			return "", ""
		}
	}
	if r.always {
		return "", "the administrator's policy says neither what is denied nor what is allowed"
	}
	return r.does[0], fmt.Sprintf("the command %q is not allowed by the administrator's policy", "docker "+r.does[0])
}

// match compares a path with the pattern of a route.
func match(pattern, path string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == path
	}
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return false
	}
	for i := 1; i <= len(rest); i++ {
		if match(after, rest[i:]) {
			return true
		}
	}
	return false
}
