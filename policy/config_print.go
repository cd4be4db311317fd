package policy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Format writes a configuration as one file: [Parse] of it gives the same, the pins
// apart, which are kept elsewhere. What is not set and has no word of its own in the
// file is left out.
func Format(c Config) []byte {
	var p printer
	p.value("state_dir", quoteTOML(c.StateDir))
	p.value("runc", quoteTOML(c.Runc))
	p.list("runc_roots", c.RuncRoots)
	p.optional("policies", c.Policies)

	p.table("ids")
	p.value("base", c.IDs.Base)
	p.value("size", c.IDs.Size)
	p.value("end", c.IDs.End)

	p.table("devices")
	p.list("allow", c.Devices.Allow)

	p.table("mounts")
	p.list("restricted", c.Mounts.paths(Restricted))
	p.list("masked", c.Mounts.paths(Masked))
	p.list("readonly", c.Mounts.paths(Readable))
	p.list("except", c.Mounts.paths(Excepted))
	p.list("layers", c.Mounts.paths(Layers))
	p.optional("only", c.Mounts.Only)

	p.table("sockets")
	p.list("engines", c.Sockets.Engines)
	p.optional("images", c.Sockets.Images)
	p.value("allow_derived", c.Sockets.AllowDerived)
	if commands := c.Sockets.Commands; commands.Type != "" {
		p.table("sockets.commands")
		p.value("type", quoteTOML(commands.Type))
		p.optional("list", commands.List)
	}

	p.table("namespaces")
	p.value("require_own", c.Namespaces.RequireOwn)

	p.table("hooks")
	p.optional("allow", c.Hooks.Allow)

	p.table("emulation")
	p.value("enabled", c.Emulation.Enabled)
	p.list("mknod", c.Emulation.Mknod)

	p.table("systemd")
	p.value("mode", quoteTOML(string(c.Systemd)))

	p.table("sysctl.ceilings")
	for _, name := range slices.Sorted(maps.Keys(c.Sysctl.Ceilings)) {
		p.value(quoteTOML(name), c.Sysctl.Ceilings[name])
	}

	p.table("state")
	p.list("directories", c.State.Directories)

	p.table("rules")
	for _, name := range slices.Sorted(maps.Keys(c.Rules)) {
		p.value(name, quoteTOML(string(c.Rules[name])))
	}

	p.table("audit")
	p.value("file", quoteTOML(c.Audit.File))
	p.value("journal", c.Audit.Journal)
	p.value("required", c.Audit.Required)
	p.value("log", quoteTOML(c.Audit.log()))
	return p.Bytes()
}

// paths are those that have an access.
func (m Mounts) paths(a Access) []string {
	var out []string
	for _, r := range m.Rules {
		if r.Access == a {
			out = append(out, r.Path)
		}
	}
	return out
}

// log is the word for Denied.
func (a Audit) log() string {
	if a.Denied {
		return "denied"
	}
	return "all"
}

// printer writes TOML.
type printer struct{ bytes.Buffer }

func (p *printer) table(name string) { fmt.Fprintf(p, "\n[%s]\n", name) }

func (p *printer) value(key string, value any) { fmt.Fprintf(p, "%s = %v\n", key, value) }

// list writes one element a line where there are many.
func (p *printer) list(key string, list []string) {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quoteTOML(s)
	}
	open, comma, end := "[", ", ", "]"
	if len(strings.Join(quoted, comma)) > 80 {
		open, comma, end = "[\n  ", ",\n  ", ",\n]"
	}
	p.value(key, open+strings.Join(quoted, comma)+end)
}

// optional writes a list for which nil has a meaning of its own.
func (p *printer) optional(key string, list []string) {
	if list != nil {
		p.list(key, list)
	}
}

// quoteTOML writes a basic string. Go's own quoting has escapes that TOML lacks.
func quoteTOML(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
