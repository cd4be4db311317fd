package policy

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// kernelFileSystems show the kernel and not a disk, wherever they are mounted: a
// volume driver can mount a procfs anywhere.
var kernelFileSystems = []string{
	"proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "devpts", "debugfs", "tracefs", "securityfs", "configfs",
	"bpf", "pstore", "efivarfs", "binfmt_misc", "selinuxfs", "smackfs", "fusectl", "nsfs", "mqueue", "autofs", "rpc_pipefs", "nfsd",
	"resctrl", "xenfs", "binder", "functionfs",
}

// checkLayers keeps P06 for the root file system: a rootfs is a volume by another
// name.
func checkLayers(r *request, d *Decision) *Violation {
	for _, layer := range r.facts.Layers {
		j := r.zones().judge(layer, layer.Path, Layers)
		if j.access == "" {
			continue
		}
		v := denied("root.path", "the root file system is made of %s, and %s", plain(layer.Path), j.why)
		if !r.tolerates(v, d) {
			return v
		}
	}
	return nil
}

// checkRestrictedMounts keeps P06. The sentence is that of Sysbox and of Docker's
// Enhanced Container Isolation.
func checkRestrictedMounts(r *request, d *Decision) *Violation {
	for i, m := range r.spec.Mounts {
		if !IsBind(m) {
			continue
		}
		j := r.judgeVolume(r.facts.Sources[i], m.Source)
		why := j.why
		if j.access == "" && j.readOnly != "" && !ReadOnly(m) {
			why = j.readOnly + "; mount it read-only"
		}
		if why != "" {
			v := denied(fmt.Sprintf("mounts[%d].source", i), "can't mount %s because %s", plain(m.Source), why)
			if !r.tolerates(v, d) {
				return v
			}
		}
		if j.private && follows(m) {
			if d.Private == nil {
				d.Private = map[int]bool{}
			}
			d.Private[i] = true
		}
		if len(j.masks) == 0 {
			continue
		}
		if ReadOnly(m) || r.mode == Warn {
			d.Masks = with(d.Masks, i, j.masks)
		} else {
			d.Absent = with(d.Absent, i, j.masks)
		}
	}
	return nil
}

func with(m map[int][]string, i int, list []string) map[int][]string {
	if m == nil {
		m = map[int][]string{}
	}
	m[i] = list
	return m
}

// judgeVolume leaves devices and sockets of engines to their own rules, unless a rule
// without exceptions restricts them.
func (r *request) judgeVolume(s Source, asked string) judgement {
	z := r.zones()
	if s.Kind != KindDevice && z.engine(s) == nil {
		return z.judge(s, asked, Excepted)
	}
	if final := z.final(s); final != nil {
		return restrict("%s", configured(asked, final.Path, final))
	}
	return judgement{}
}

// judgement is what the rules for paths say about a source.
type judgement struct {
	access   Access // Restricted, or empty where nothing is in the way
	why      string // a sentence without its beginning
	readOnly string // the same for a volume that is writable; empty: it may be
	masks    []string
	private  bool // a client may have its engine mount something below, later
}

// also adds what was found out about another name, or another part, of a source.
func (j *judgement) also(o judgement) {
	j.readOnly = cmp.Or(j.readOnly, o.readOnly)
	j.private = j.private || o.private
	for _, mask := range o.masks {
		if !slices.Contains(j.masks, mask) {
			j.masks = append(j.masks, mask)
		}
	}
}

// judge looks at everything that a source, which was asked for by some path, is known
// as, and at the mounts that come with it. The exception is the access that opens a
// place for this kind of use.
func (z *zones) judge(s Source, asked string, exception Access) judgement {
	all := z.judgeMount(Submount{Paths: s.Paths, FileSystem: s.FileSystem}, asked, exception)
	if all.access != "" {
		return all
	}
	for _, j := range []judgement{z.judgeLink(asked), z.judgeHardLinks(s)} {
		if j.access != "" {
			return j
		}
		all.also(j)
	}
	for _, m := range s.Below {
		j := z.judgeBelow(s, m, all.masks, exception)
		if j.access != "" {
			return j
		}
		all.also(j)
	}
	for _, layer := range s.Layers {
		if l := z.judgeMount(Submount{Paths: layer}, "", Layers); l.access != "" {
			return restrict("it is or holds an overlay: %s", l.why)
		}
	}
	return all
}

// judgeBelow judges what comes with a source, of which the masks are hidden.
func (z *zones) judgeBelow(s Source, m Submount, hidden []string, exception Access) judgement {
	what, judges := "it holds a mount", z
	if m.Part {
		// It lay in the source before the host showed it elsewhere as well: whether
		// that name is one of those that may be mounted does not matter.
		all := *z
		all.only = nil
		judges = &all
	}
	switch {
	case len(m.Paths) == 0:
	case m.Part:
		what = "it holds " + plain(m.Paths[0])
	default:
		what = "it holds the mount " + plain(m.Paths[0])
	}
	at := ""
	if len(s.Paths) > 0 && len(m.Paths) > 0 && below(m.Paths[0], s.Paths[0]) {
		at = strings.TrimPrefix(strings.TrimPrefix(m.Paths[0], s.Paths[0]), "/")
	}
	if at != "" && slices.ContainsFunc(hidden, func(mask string) bool { return below(at, mask) }) {
		return judgement{}
	}
	j := judges.judgeMount(m, "", exception)
	if j.access != "" {
		return restrict("%s: %s", what, j.why)
	}
	if len(j.masks) > 0 && at == "" {
		return restrict("it is not known where in it %s lies, which is to be hidden", plain(j.masks[0]))
	}
	for i, mask := range j.masks {
		j.masks[i] = at + "/" + mask
	}
	if j.readOnly != "" {
		j.readOnly = what + ": " + j.readOnly
	}
	return j
}

// judgeLink judges a name that was asked for, although what it leads to is somewhere
// else: a link in a restricted directory.
func (z *zones) judgeLink(asked string) (j judgement) {
	if path.Clean(asked) != asked {
		return j
	}
	switch r := z.of(components(asked)); {
	case r == nil:
	case r.Access == Restricted || r.Access == Masked:
		return restrict("%s", configured(asked, asked, r))
	case r.Access == Readable:
		j.readOnly = configured(asked, asked, r)
	}
	return j
}

// judgeHardLinks judges the other names of a file.
func (z *zones) judgeHardLinks(s Source) (j judgement) {
	const why = "it is another name of %s, which is configured as a %s host mount"
	if r := z.sameFile(s, Restricted); r != nil {
		return restrict(why, plain(r.Path), "restricted")
	}
	switch s.Linked {
	case "":
	case "?":
		return restrict("it has several names (hard links), and there are too many restricted files to compare it with")
	default:
		return restrict(why, plain(s.Linked), "restricted")
	}
	if r := z.sameFile(s, Readable); r != nil {
		j.readOnly = fmt.Sprintf(why, plain(r.Path), "read-only")
	}
	return j
}

func restrict(format string, args ...any) judgement {
	return judgement{access: Restricted, why: fmt.Sprintf(format, args...)}
}

// judgeMount judges one object by its file system and by all its paths. Without a path
// nothing is known of it.
func (z *zones) judgeMount(m Submount, asked string, exception Access) judgement {
	if slices.Contains(kernelFileSystems, m.FileSystem) {
		return restrict("it lies on a file system of the kernel (%s)", m.FileSystem)
	}
	if len(m.Paths) == 0 {
		return restrict("the host's mount table does not show it")
	}
	var all judgement
	for _, p := range m.Paths {
		j := z.judgePath(p, asked, exception)
		if j.access != "" {
			return j
		}
		all.also(j)
	}
	return all
}

// judgePath judges one path.
func (z *zones) judgePath(p, asked string, exception Access) judgement {
	if !path.IsAbs(p) {
		return restrict("it is not known from which directories of the host it is made")
	}
	parts, volume := components(p), exception == Excepted
	var j judgement
	r := z.of(parts)
	switch {
	case r != nil && r.Access == Readable && volume:
		j.readOnly = configured(asked, p, r)
		r = nil // what may be mounted is another question
	case r != nil && r.Access != exception:
		return restrict("%s", configured(asked, p, r))
	}
	if r == nil && volume && !z.allowed(parts) {
		return restrict("it's not configured as an allowed host mount")
	}
	j.private = r != nil && r.Access == Excepted && !r.Follows
	h := z.below(parts)
	if r == nil || r.Access != Layers { // what lies in a layer is part of it
		h.hard = cmp.Or(h.hard, h.layers)
	}
	if h.hard != nil {
		return restrict("it holds %s, which is configured as a restricted host mount", plain(h.hard.Path))
	}
	why := ""
	if h.link != nil {
		why = fmt.Sprintf("it holds a symbolic link that leads to %s, which is configured as a %s host mount", plain(h.link.Path), h.link.Access)
	}
	if h.readable != nil {
		why = fmt.Sprintf("it holds %s, which is configured as a read-only host mount", plain(h.readable.Path))
	}
	if why != "" && !volume {
		return restrict("%s", why)
	}
	j.readOnly = cmp.Or(j.readOnly, why)
	for _, m := range h.masks {
		why := fmt.Sprintf("it holds %s, which is configured as a masked host mount", plain(m.Path))
		switch {
		case slices.Contains(m.plain[len(parts):], false):
			return restrict("%s with a wildcard", why)
		case !volume:
			return restrict("%s", why)
		case !m.missing:
			j.readOnly = cmp.Or(j.readOnly, why+": a writable volume could move it")
		}
		j.masks = append(j.masks, m.relative(parts))
	}
	return j
}

// configured says that a rule restricts what was asked for, and is known by a path.
func configured(asked, p string, r *zone) string {
	exact := len(components(p)) == len(r.parts)
	switch r.Access {
	case Masked:
		return fmt.Sprintf("it is or lies in %s, which is configured as a masked host mount", plain(r.Path))
	case Layers:
		return fmt.Sprintf("it is or lies in %s, which is configured for layers of root file systems", plain(r.Path))
	}
	why := "it's configured as a restricted host mount"
	if r.Access == Readable {
		why = "it's configured as a read-only host mount"
	}
	switch {
	case exact && p == asked:
		return why
	case exact:
		return fmt.Sprintf("%s (it is %s)", why, plain(p))
	case p == asked:
		return fmt.Sprintf("%s (it lies in %s)", why, plain(r.Path))
	}
	return fmt.Sprintf("%s (it is %s, in %s)", why, plain(p), plain(r.Path))
}

// plain writes a path for a sentence: as it is where it cannot be mistaken for
// something else, quoted otherwise.
func plain(p string) string {
	for _, c := range p {
		if c <= ' ' || c > '~' || strings.ContainsRune("\"'`\\();", c) {
			return fmt.Sprintf("%q", p)
		}
	}
	if p == "" {
		return `""`
	}
	return p
}
