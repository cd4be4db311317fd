package host

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// resolver follows the symbolic links of a host, by name: it opens nothing, and what
// does not exist has a name too. It remembers every directory that it came through,
// because the paths that it is asked for have most of them in common.
type resolver struct {
	root  *os.File
	known map[string]*resolved
	// guarded tells whether no container can change what is in a directory.
	guarded func(dir string) bool
}

// resolved is where a path leads.
type resolved struct {
	path   string // without links, as far as it exists
	exists bool
	gone   bool // the kernel says that there is nothing; false: it is not known
	// links are the symbolic links on the way, by paths without links, and roots says
	// that all of them belong to root.
	links []string
	roots bool
	stat  linux.Stat // of what exists
}

func newResolver(root *os.File) *resolver {
	known := make(map[string]*resolved, 256) // the default policy has some 200 directories on the way
	known["/"] = &resolved{path: "/", exists: true, roots: true}
	return &resolver{root, known, func(string) bool { return false }}
}

// steady tells whether nobody but root of the host can have made a path lead where it
// does. A container's root is the same user, on an ID-mapped volume.
func (r *resolver) steady(found *resolved) bool {
	return found.roots && !slices.ContainsFunc(found.links, func(link string) bool { return !r.guarded(path.Dir(link)) })
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
	here := &resolved{path: strings.TrimSuffix(dir.path, "/") + "/" + base, links: dir.links, roots: dir.roots}
	if !dir.exists {
		here.gone = dir.gone
		return here
	}
	st, err := linux.StatAt(r.root, "."+here.path)
	if err != nil {
		here.gone = errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
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
	found.links = slices.Concat(dir.links, []string{here.path}, found.links)
	found.roots = found.roots && dir.roots && st.UID == 0
	return found
}

// climb resolves the target of a link, in which ".." goes up from where the links
// before it led.
func (r *resolver) climb(target string, links int) *resolved {
	at := &resolved{path: "/", exists: true, roots: true}
	for name := range strings.SplitSeq(target, "/") {
		switch name {
		case "", ".":
		case "..":
			up := *r.follow(path.Dir(at.path), links)
			up.links, up.roots = slices.Concat(at.links, up.links), up.roots && at.roots
			at = &up
		default:
			at = r.step(at, name, links)
		}
	}
	return at
}
