package host

import (
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// maxEntries bounds how many entries of restricted directories are looked at for the
// other names of files, for one container.
const maxEntries = 100_000

// manyLinks is what [policy.Source] says where the bound was reached.
const manyLinks = "?"

// findLinks finds the restricted paths that sources with several names have, too. All are
// looked for at once.
func (o *observer) findLinks(cfg policy.Config, sources map[int]policy.Source) {
	w := linkWalk{
		resolver: o.names, table: o.table, left: maxEntries,
		found: make(map[policy.FileID]string), devices: make(map[uint64]bool),
	}
	for i, opened := range o.opened.Sources {
		kind := sources[i].Kind
		if opened.Stat.Links > 1 && (kind == policy.KindFile || kind == policy.KindSocket || kind == policy.KindOther) {
			w.found[idOf(opened.Stat)] = ""
			w.devices[o.table.deviceOf(opened.Stat)] = true
		}
	}
	if len(w.found) == 0 {
		return
	}
	w.walk(cfg)
	for i, opened := range o.opened.Sources {
		s := sources[i]
		if name, wanted := w.found[idOf(opened.Stat)]; wanted {
			s.Linked = name
			if name == "" && w.left < 0 {
				s.Linked = manyLinks
			}
			sources[i] = s
		}
	}
}

func idOf(st linux.Stat) policy.FileID { return policy.FileID{Device: st.Dev, Inode: st.Ino} }

// linkWalk looks for names of files. Hard links do not leave a file system, so that others
// are passed by, and not even asked what they are: one whose server does not answer would
// keep us waiting. So are directories that hold what containers may have.
type linkWalk struct {
	*resolver
	table   *table
	found   map[policy.FileID]string // the rule of the path that was found; "" so far
	devices map[uint64]bool          // their file systems, as the mount table has them
	open    []string                 // patterns of what is not restricted
	left    int                      // how many entries may still be looked at
	rule    string                   // whose place is looked at
}

func (w *linkWalk) walk(cfg policy.Config) {
	for _, rule := range cfg.Mounts.Rules {
		if !secret(rule.Access) {
			w.open = append(w.open, w.permitted(rule.Path).Path)
		}
	}
	for _, rule := range cfg.Mounts.Rules {
		if !secret(rule.Access) {
			continue
		}
		w.rule = rule.Path
		plain, rest := splitPattern(rule.Path)
		for _, place := range w.match(w.of(plain), rest) {
			w.in(place.path, place.stat)
			for _, m := range w.table.below(place.path) {
				if !w.devices[deviceOf(m.mount)] || w.table.points[m.path] != m.mount {
					continue
				}
				if st, err := linux.StatAt(w.root, "."+m.path); err == nil {
					w.in(m.path, st)
				}
			}
		}
	}
}

// secret tells whether an access keeps containers from reading.
func secret(a policy.Access) bool { return a == policy.Restricted || a == policy.Masked }

// in looks at a path and all below it, as far as nothing is mounted on it.
func (w *linkWalk) in(name string, st linux.Stat) {
	if w.left < 0 || !w.devices[w.table.deviceOf(st)] {
		return
	}
	if !st.IsDir() {
		if rule, wanted := w.found[idOf(st)]; wanted && rule == "" {
			w.found[idOf(st)] = w.rule
		}
		return
	}
	for _, pattern := range w.open {
		if matches(pattern, name) {
			return
		}
	}
	f, err := linux.OpenAt(w.root, "."+name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	entries, _ := f.ReadDir(-1)
	for _, e := range entries {
		if w.left--; w.left < 0 {
			return
		}
		below := under(name, "/"+e.Name())
		if e.Type()&(fs.ModeSymlink|fs.ModeDevice) != 0 || w.table.points[below] != nil {
			continue
		}
		if st, err := linux.StatAt(f, e.Name()); err == nil {
			w.in(below, st)
		}
	}
}
