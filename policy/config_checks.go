package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// checks are the conditions that types cannot express, in the order of the
// file. A check gives the reason, or nothing. The keys in or are tried for a
// line number where the key itself was not written. What adds to a list is looked
// at before, see [file.added].
var checks = []struct {
	key   string
	or    []string
	check func(Config) string
}{
	{key: "state_dir", check: func(c Config) string { return badPath(c.StateDir) }},
	{key: "runc", check: func(c Config) string { return optional(c.Runc, badPath) }},
	{key: "runc_roots", check: func(c Config) string { return first(c.RuncRoots, badPath) }},
	{key: "policies", check: func(c Config) string { return first(c.Policies, badPath) }},
	{key: "ids.base", check: func(c Config) string {
		if c.IDs.Base < MinHostID {
			return fmt.Sprintf("%d is below %d, where the host's own users live", c.IDs.Base, MinHostID)
		}
		return ""
	}},
	{key: "ids.size", check: func(c Config) string {
		if c.IDs.Size < MinSize {
			return fmt.Sprintf("%d is below %d, the number of IDs that images count on", c.IDs.Size, MinSize)
		}
		return ""
	}},
	{key: "ids.end", or: []string{"ids.size", "ids.base"}, check: func(c Config) string {
		if c.IDs.End > maxHostID {
			return fmt.Sprintf("%d is above %d, the highest ID that exists", c.IDs.End, uint32(maxHostID))
		}
		if last := uint64(c.IDs.Base) + uint64(c.IDs.Size) - 1; last > uint64(c.IDs.End) {
			return fmt.Sprintf("%d leaves no room for one range: base %d and size %d need %d", c.IDs.End, c.IDs.Base, c.IDs.Size, last)
		}
		return ""
	}},
	{key: "devices.allow", check: func(c Config) string { return first(c.Devices.Allow, badDevice) }},
	{key: "mounts.only", check: func(c Config) string { return first(c.Mounts.Only, badPattern) }},
	{key: "sockets.images", check: func(c Config) string { return first(c.Sockets.Images, badImage) }},
	{key: "sockets.commands.type", or: []string{"sockets.commands.list"}, check: func(c Config) string {
		switch t := c.Sockets.Commands.Type; {
		case t == "" && len(c.Sockets.Commands.List) > 0:
			return `the list needs a type, "deny" or "allow"`
		case t != "" && t != "deny" && t != "allow":
			return fmt.Sprintf(`%q is neither "deny" nor "allow"`, t)
		}
		return ""
	}},
	{key: "sockets.commands.list", check: func(c Config) string { return first(c.Sockets.Commands.List, badCommand) }},
	{key: "hooks.allow", check: func(c Config) string { return first(c.Hooks.Allow, badHookEntry) }},
	{key: "emulation.mknod", check: func(c Config) string { return first(c.Emulation.Mknod, badMknod) }},
	{key: "systemd.mode", check: func(c Config) string { return badSystemd(c.Systemd) }},
	{key: "sysctl.ceilings.fs.file-max", check: func(c Config) string { return badCeiling(c.Sysctl.Ceilings["fs.file-max"]) }},
	{key: "sysctl.ceilings.fs.nr_open", check: func(c Config) string { return badCeiling(c.Sysctl.Ceilings["fs.nr_open"]) }},
	{key: "sysctl.ceilings.net.netfilter.nf_conntrack_max", check: func(c Config) string { return badCeiling(c.Sysctl.Ceilings["net.netfilter.nf_conntrack_max"]) }},
	{key: "state.directories", check: func(c Config) string { return first(c.State.Directories, badState) }},
	{key: "audit.file", check: func(c Config) string { return optional(c.Audit.File, badPath) }},
	{key: "audit.required", or: []string{"audit.file"}, check: func(c Config) string {
		if c.Audit.Required && c.Audit.File == "" && !c.Audit.Journal {
			return "there is neither a file nor a journal to write to"
		}
		return ""
	}},
}

// badMode says why a rule cannot have a mode.
func badMode(name string, mode Mode) string {
	for _, r := range rules {
		switch {
		case r.name != name:
		case r.fixed != "" && mode != Enforce:
			return "the rule is always enforced: " + r.fixed
		case mode != Enforce && mode != Warn && mode != Off:
			return fmt.Sprintf(`%q is none of "enforce", "warn" and "off"`, mode)
		default:
			return ""
		}
	}
	return "there is no rule of this name; those with a mode are " + strings.Join(Switchable(), ", ")
}

// first says what is wrong with the first bad one of a list.
func first(list []string, bad func(string) string) string {
	for i, s := range list {
		if reason := bad(s); reason != "" {
			return fmt.Sprintf("[%d]: %s", i, reason)
		}
	}
	return ""
}

func optional(s string, bad func(string) string) string {
	if s == "" {
		return ""
	}
	return bad(s)
}

// badPath says what is wrong with the path of something that is not the root.
func badPath(p string) string {
	switch {
	case !path.IsAbs(p):
		return fmt.Sprintf("%q is not an absolute path", p)
	case path.Clean(p) != p:
		return fmt.Sprintf("%q is not a clean path: write %q", p, path.Clean(p))
	case p == "/":
		return `"/" is everything`
	case strings.ContainsRune(p, 0):
		return fmt.Sprintf("%q holds a null byte", p)
	}
	return ""
}

func badPattern(p string) string {
	if reason := badPath(p); reason != "" {
		return reason
	}
	if _, err := path.Match(p, ""); err != nil {
		return fmt.Sprintf("%q is not a pattern of path.Match: %v", p, err)
	}
	return ""
}

func badDevice(p string) string {
	if !strings.HasPrefix(p, "/dev/") {
		return fmt.Sprintf("%q is not below /dev/", p)
	}
	return badPattern(p)
}

// badHookEntry wants a program, and words behind it that are its first arguments.
func badHookEntry(entry string) string {
	words := strings.Split(entry, " ")
	if slices.Contains(words, "") {
		return fmt.Sprintf("%q is not a program and its arguments, with one blank between them", entry)
	}
	return badPattern(words[0])
}
