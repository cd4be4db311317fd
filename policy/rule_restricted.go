package policy

import (
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
		if j.access != "" {
			v := denied(fmt.Sprintf("mounts[%d].source", i), "can't mount %s because %s", plain(m.Source), j.why)
			if !r.tolerates(v, d) {
				return v
			}
		}
		if len(j.masks) > 0 {
			if d.Masks == nil {
				d.Masks = map[int][]string{}
			}
			d.Masks[i] = j.masks
		}
	}
	return nil
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
	access Access // Restricted, or empty where nothing is in the way
	why    string // a sentence without its beginning
	masks  []string
}

// judge looks at everything that a source, which was asked for by some path, is known
// as, and at the mounts that come with it. The exception is the access that opens a
// place for this kind of use.
func (z *zones) judge(s Source, asked string, exception Access) judgement {
	all := z.judgeMount(Submount{Paths: s.Paths, FileSystem: s.FileSystem}, asked, exception)
	if all.access != "" {
		return all
	}
	if r := z.link(asked); r != nil {
		return restrict("%s", configured(asked, asked, r))
	}
	if l := z.linked(s); l == "?" {
		return restrict("it has several names (hard links), and there are too many restricted files to compare it with")
	} else if l != "" {
		return restrict("it is another name of %s, which is configured as a restricted host mount", plain(l))
	}
	for _, m := range s.Below {
		j := z.judgeBelow(s, m, all.masks, exception)
		if j.access != "" {
			return j
		}
		all.masks = append(all.masks, j.masks...)
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
		judges = &zones{rules: z.rules, engines: z.engines}
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
	return j
}

// link is the rule that restricts a name that was asked for, although what it leads to
// is somewhere else: a link in a restricted directory.
func (z *zones) link(asked string) *zone {
	if path.Clean(asked) != asked {
		return nil
	}
	if r := z.of(components(asked)); r != nil && (r.Access == Restricted || r.Access == Masked) {
		return r
	}
	return nil
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
		for _, mask := range j.masks {
			if !slices.Contains(all.masks, mask) {
				all.masks = append(all.masks, mask)
			}
		}
	}
	return all
}

// judgePath judges one path.
func (z *zones) judgePath(p, asked string, exception Access) judgement {
	if !path.IsAbs(p) {
		return restrict("it is not known from which directories of the host it is made")
	}
	parts := components(p)
	r := z.of(parts)
	if r != nil && r.Access != exception {
		return restrict("%s", configured(asked, p, r))
	}
	if r == nil && exception == Excepted && !z.allowed(parts) {
		return restrict("it's not configured as an allowed host mount")
	}
	hard, held := z.below(parts)
	if hard != nil {
		return restrict("it holds %s, which is configured as a restricted host mount", plain(hard.Path))
	}
	var masks []string
	for _, m := range held {
		switch {
		case slices.Contains(m.plain[len(parts):], false):
			return restrict("it holds %s, which is configured as a masked host mount with a wildcard", plain(m.Path))
		case exception != Excepted:
			return restrict("it holds %s, which is configured as a masked host mount", plain(m.Path))
		}
		masks = append(masks, m.relative(parts))
	}
	return judgement{masks: masks}
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
	const why = "it's configured as a restricted host mount"
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
