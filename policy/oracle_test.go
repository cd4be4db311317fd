package policy_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/eci-runtime/eci/policy"
)

// The rules for paths once more, as plainly as they can be written: what the fuzzed
// invariants compare the real ones with.

// names are the components of a path. They are kept: it is always the same few paths.
func names(p string) []string {
	if known, ok := nameCache.Load(p); ok {
		return known.([]string)
	}
	out := strings.FieldsFunc(p, func(c rune) bool { return c == '/' })
	nameCache.Store(p, out)
	return out
}

var nameCache sync.Map

// lies tells whether a path is what a pattern names, or below it.
func lies(p, pattern string) bool {
	have, want := names(p), names(pattern)
	return len(have) >= len(want) && alike(have[:len(want)], want)
}

// holds tells whether what a pattern names can be below a path.
func holds(p, pattern string) bool {
	have, want := names(p), names(pattern)
	return len(have) < len(want) && alike(have, want[:len(have)])
}

func alike(have, patterns []string) bool {
	for i, p := range patterns {
		if ok, err := path.Match(p, have[i]); !ok && (err == nil || p != have[i]) {
			return false
		}
	}
	return true
}

// placed are the patterns of a rule as this host has them.
func placed(f policy.Facts, pattern string) []string {
	at := f.Places[pattern]
	if at.Path == "" {
		at.Path = pattern
	}
	return append([]string{at.Path}, at.Also...)
}

// specific is how much a pattern says: its depth, and then how much of it has no wildcard.
func specific(pattern string) (n int) {
	for _, name := range names(pattern) {
		if n += 100; !strings.ContainsAny(name, `*?[\`) {
			n++
		}
	}
	return n
}

// ruling is the rule that has the last word on a path.
func ruling(cfg policy.Config, f policy.Facts, p string) (best policy.PathRule, found bool) {
	length := 0
	for _, r := range cfg.Mounts.Rules {
		for _, pattern := range placed(f, r.Path) {
			if n := specific(pattern); lies(p, pattern) && n >= length {
				best, length, found = r, n, true
			}
		}
	}
	return best, found
}

// forbidden says why a path must not be shown to a container for a use, or not in a volume
// that is writable.
func forbidden(cfg policy.Config, f policy.Facts, p string, use policy.Access, only []string, writable bool) string {
	var best policy.PathRule
	var layer string
	length := -1
	locked := use != policy.Excepted || writable // what is read-only is as good as restricted
	for _, r := range cfg.Mounts.Rules {
		for _, pattern := range placed(f, r.Path) {
			if lies(p, pattern) && r.Final {
				return fmt.Sprintf("%s lies in %s, without exceptions", p, pattern)
			}
			if n := specific(pattern); lies(p, pattern) && n >= length {
				best, length = r, n
			}
			if holds(p, pattern) && r.Access == policy.Layers {
				layer = pattern
			}
			hides := r.Access == policy.Restricted || r.Access == policy.Masked && use != policy.Excepted ||
				r.Access == policy.Readable && locked || r.Access == policy.Masked && writable && !f.Places[r.Path].Missing
			if holds(p, pattern) && hides {
				return fmt.Sprintf("%s holds %s", p, pattern)
			}
		}
	}
	for _, pattern := range cfg.Places() {
		leads := func(link string) bool { return holds(p, link) }
		if locked && !slices.Contains(cfg.Mounts.Only, pattern) && slices.ContainsFunc(f.Places[pattern].Links, leads) {
			return fmt.Sprintf("%s holds a link that leads to %s", p, pattern)
		}
	}
	if best.Access == policy.Readable && !locked {
		length = -1 // which permits nothing that is not listed
	}
	if length >= 0 && best.Access != use {
		return fmt.Sprintf("%s lies in %+v", p, best)
	}
	if layer != "" && (length < 0 || best.Access != policy.Layers) {
		return fmt.Sprintf("%s holds %s", p, layer)
	}
	for _, engine := range cfg.Sockets.Engines {
		for _, pattern := range placed(f, engine) {
			if holds(p, pattern) {
				return fmt.Sprintf("%s holds the socket %s", p, pattern)
			}
		}
	}
	listed := func(o string) bool {
		return slices.ContainsFunc(placed(f, o), func(pattern string) bool { return lies(p, pattern) })
	}
	if length < 0 && use == policy.Excepted && only != nil && !slices.ContainsFunc(only, listed) {
		return p + " is not listed"
	}
	return ""
}

// secrets are what has to be hidden below a path, relative to it.
func secrets(cfg policy.Config, f policy.Facts, p string) []string {
	var out []string
	for _, r := range cfg.Mounts.Rules {
		for _, pattern := range placed(f, r.Path) {
			if r.Access == policy.Masked && holds(p, pattern) {
				out = append(out, strings.Join(names(pattern)[len(names(p)):], "/"))
			}
		}
	}
	return out
}

// isEngine tells whether a source is an engine's socket.
func isEngine(cfg policy.Config, f policy.Facts, s policy.Source) bool {
	if s.Kind != policy.KindSocket {
		return false
	}
	for _, engine := range cfg.Sockets.Engines {
		if slices.Contains(f.Places[engine].Files, policy.FileID{Device: s.Device, Inode: s.Inode}) && s.Inode != 0 {
			return true
		}
		for _, pattern := range placed(f, engine) {
			for _, p := range s.Paths {
				if lies(p, pattern) && len(names(p)) == len(names(pattern)) {
					return true
				}
			}
		}
	}
	return false
}

// exposed says what a source shows that no container may see, given what is masked, or may
// write to.
func exposed(cfg policy.Config, f policy.Facts, s policy.Source, use policy.Access, masks []string, writable bool) string {
	hidden := func(rest string) bool {
		return slices.ContainsFunc(masks, func(mask string) bool { return lies(rest, mask) })
	}
	if slices.Contains([]string{"proc", "sysfs"}, s.FileSystem) {
		return "a file system of the kernel"
	}
	if len(s.Paths) == 0 || s.Linked != "" {
		return "something unknown"
	}
	for _, r := range cfg.Mounts.Rules {
		locks := r.Access == policy.Restricted || r.Access == policy.Readable && writable
		if locks && s.Inode != 0 && slices.Contains(f.Places[r.Path].Files, policy.FileID{Device: s.Device, Inode: s.Inode}) {
			return "the file " + r.Path
		}
	}
	for _, p := range s.Paths {
		if why := forbidden(cfg, f, p, use, cfg.Mounts.Only, writable); why != "" {
			return why
		}
		for _, secret := range secrets(cfg, f, p) {
			if !hidden(secret) {
				return p + " shows " + secret
			}
		}
	}
	for _, m := range s.Below {
		at := ""
		if lies(m.Paths[0], s.Paths[0]) {
			at = strings.Join(names(m.Paths[0])[len(names(s.Paths[0])):], "/")
		}
		if at != "" && hidden(at) {
			continue
		}
		if m.FileSystem == "proc" {
			return "a file system of the kernel below it"
		}
		only := cfg.Mounts.Only
		if m.Part {
			only = nil
		}
		for _, p := range m.Paths {
			if why := forbidden(cfg, f, p, use, only, writable); why != "" {
				return why
			}
			for _, secret := range secrets(cfg, f, p) {
				if at == "" || !hidden(at+"/"+secret) {
					return p + " shows " + secret
				}
			}
		}
	}
	for _, layer := range s.Layers {
		for _, p := range layer {
			if why := forbidden(cfg, f, p, policy.Layers, nil, false); why != "" {
				return why
			}
		}
	}
	return ""
}
