package host

import (
	"os"
	"path"
	"strings"

	"github.com/eci-runtime/eci/internal/linux"
)

// resolver follows the symbolic links of a host, by name: it opens nothing, and what
// does not exist has a name too. It remembers every directory that it came through,
// because the paths that it is asked for have most of them in common.
type resolver struct {
	root  *os.File
	known map[string]*resolved
}

// resolved is where a path leads.
type resolved struct {
	path   string // without links, as far as it exists
	exists bool
	// steady says that every link on the way belongs to root: nobody else has
	// made the path lead there.
	steady bool
	stat   linux.Stat // of what exists
}

func newResolver(root *os.File) *resolver {
	known := make(map[string]*resolved, 256) // the default policy has some 200 directories on the way
	known["/"] = &resolved{path: "/", exists: true, steady: true}
	return &resolver{root, known}
}

// maxLinks is how many symbolic links a path may lead through, as in the kernel
// (path_resolution(7)).
const maxLinks = 40

// of resolves an absolute path.
func (r *resolver) of(name string) *resolved {
	if !path.IsAbs(name) {
		name = "/" + name
	}
	return r.follow(path.Clean(name), maxLinks)
}

// follow resolves a clean path.
func (r *resolver) follow(name string, links int) *resolved {
	if known := r.known[name]; known != nil {
		return known
	}
	i := strings.LastIndexByte(name, '/')
	found := r.step(r.follow(name[:max(i, 1)], links), name[i+1:], links)
	r.known[name] = found
	return found
}

// step goes from a directory to one of its entries.
func (r *resolver) step(dir *resolved, base string, links int) *resolved {
	here := &resolved{path: strings.TrimSuffix(dir.path, "/") + "/" + base, steady: dir.steady}
	if !dir.exists {
		return here
	}
	st, err := linux.StatAt(r.root, "."+here.path)
	if err != nil {
		return here
	}
	if !st.IsSymlink() {
		here.exists, here.stat = true, st
		return here
	}
	target, err := linux.ReadLink(r.root, "."+here.path)
	if err != nil || target == "" || links == 0 {
		return here
	}
	if !path.IsAbs(target) {
		// dir.path has no links, so that its ".." means what it says.
		target = dir.path + "/" + target
	}
	found := r.climb(target, links-1)
	found.steady = found.steady && dir.steady && st.UID == 0
	return found
}

// climb resolves the target of a link, in which ".." goes up from where the links
// before it led.
func (r *resolver) climb(target string, links int) *resolved {
	at := &resolved{path: "/", exists: true, steady: true}
	for name := range strings.SplitSeq(target, "/") {
		switch name {
		case "", ".":
		case "..":
			up := *r.follow(path.Dir(at.path), links)
			up.steady = up.steady && at.steady
			at = &up
		default:
			at = r.step(at, name, links)
		}
	}
	return at
}
