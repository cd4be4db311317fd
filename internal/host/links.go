package host

import (
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// maxEntries bounds how many entries of restricted directories are looked at for the
// other name of a file, for one container.
const maxEntries = 50_000

// manyLinks is what [policy.Source] says where the bound was reached.
const manyLinks = "?"

// linked finds the restricted path that a file with several names has too, or "".
// Hard links do not leave a file system, so that others are passed by; and so are
// directories that hold what containers may have.
func (o *observer) linked(cfg policy.Config, s policy.Source, st linux.Stat) string {
	if st.Links < 2 || s.Kind == policy.KindDir || s.Kind == policy.KindDevice {
		return ""
	}
	walk := linkWalk{resolver: o.names, want: st}
	for _, rule := range cfg.Mounts.Rules {
		if rule.Access == policy.Excepted || rule.Access == policy.Layers {
			walk.open = append(walk.open, o.names.permitted(rule.Path).Path)
		}
	}
	for _, rule := range cfg.Mounts.Rules {
		if rule.Access == policy.Excepted || rule.Access == policy.Layers {
			continue
		}
		plain, rest := splitPattern(rule.Path)
		for _, place := range o.names.match(o.names.of(plain), rest) {
			if walk.in(place.path, place.stat) || walk.inMounts(o.table.below(place.path)) {
				return rule.Path
			}
		}
		if walk.seen > maxEntries {
			return manyLinks
		}
	}
	return ""
}

func (w *linkWalk) inMounts(mounts []object) bool {
	for _, m := range mounts {
		if st, err := linux.StatAt(w.root, "."+m.path); err == nil && w.in(m.path, st) {
			return true
		}
	}
	return false
}

// linkWalk looks for a name of a file.
type linkWalk struct {
	*resolver
	want linux.Stat
	open []string // patterns of what is not restricted
	seen int
}

// in looks at a path and all below it, on the file system of the file.
func (w *linkWalk) in(name string, st linux.Stat) bool {
	if st.Dev != w.want.Dev || w.seen > maxEntries {
		return false
	}
	if !st.IsDir() {
		return st.Ino == w.want.Ino
	}
	for _, pattern := range w.open {
		if matches(pattern, name) {
			return false
		}
	}
	f, err := linux.OpenAt(w.root, "."+name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	entries, _ := f.ReadDir(-1)
	defer f.Close()
	for _, e := range entries {
		if w.seen++; w.seen > maxEntries {
			return false
		}
		if e.Type()&(fs.ModeSymlink|fs.ModeDevice) != 0 {
			continue
		}
		below, err := linux.StatAt(f, e.Name())
		if err == nil && w.in(under(name, "/"+e.Name()), below) {
			return true
		}
	}
	return false
}
