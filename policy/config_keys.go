package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// known are the keys that a configuration may hold. The keys of the table rules are
// names of rules, which [checks] looks at.
var known = []string{
	"state_dir", "runc", "runc_roots", "policies",
	"ids", "ids.base", "ids.size", "ids.end",
	"devices", "devices.allow",
	"mounts", "mounts.restricted", "mounts.masked", "mounts.readonly", "mounts.except", "mounts.layers", "mounts.only",
	"sockets", "sockets.engines", "sockets.images", "sockets.allow_derived",
	"sockets.commands", "sockets.commands.type", "sockets.commands.list",
	"namespaces", "namespaces.require_own",
	"hooks", "hooks.allow",
	"emulation", "emulation.enabled", "emulation.mknod",
	"systemd", "systemd.mode",
	"sysctl", "sysctl.ceilings", "sysctl.ceilings.fs.file-max", "sysctl.ceilings.fs.nr_open", "sysctl.ceilings.net.netfilter.nf_conntrack_max",
	"state", "state.directories",
	"rules", "rules.*",
	"audit", "audit.file", "audit.journal", "audit.required", "audit.log",
}

// hostwide are those that must be the same for all containers of a host, so that a
// client cannot choose them by choosing a file.
var hostwide = []string{"state_dir", "runc", "runc_roots", "policies", "ids", "audit"}

// pinned are the keys of images.lock.
var pinned = []string{"image", "image.name", "image.digest", "image.chain"}

// lines holds the line on which each key was written.
type lines map[string]int

// line gives the line of key, or of the first of the others that was written.
func (l lines) line(key string, others ...string) int {
	for _, k := range append([]string{key}, others...) {
		if n, ok := l[k]; ok {
			return n
		}
	}
	return 1
}

// keyReader walks over a document that is known to be TOML and refuses unknown
// keys. It is stricter than the decoder's DisallowUnknownFields, which takes
// STATE_DIR for state_dir, and it keeps the lines for what is checked later.
type keyReader struct {
	known  []string
	parser unstable.Parser
	found  lines
	arrays map[string]int // elements so far, by name
}

// readKeys gives the line of every key; the nth element of the array a is a[n].
func readKeys(data []byte, known []string) (lines, error) {
	r := keyReader{known: known, found: lines{}, arrays: map[string]int{}}
	r.parser.Reset(data)
	table := ""
	for r.parser.NextExpression() {
		n := r.parser.Expression()
		var err error
		switch n.Kind {
		case unstable.Table:
			table, err = r.add("", n.Key())
		case unstable.ArrayTable:
			if table, err = r.add("", n.Key()); err == nil {
				name := table
				table = fmt.Sprintf("%s[%d]", name, r.arrays[name])
				r.found[table] = r.found[name]
				r.arrays[name]++
			}
		case unstable.KeyValue:
			err = r.value(table, n)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.found, r.parser.Error()
}

// value adds the key of a key-value pair, and those of an inline table in it.
func (r *keyReader) value(table string, n *unstable.Node) error {
	name, err := r.add(table, n.Key())
	if err != nil || n.Value().Kind != unstable.InlineTable {
		return err
	}
	for it := n.Value().Children(); it.Next(); {
		if err := r.value(name, it.Node()); err != nil {
			return err
		}
	}
	return nil
}

// add notes one key, which may be dotted, and gives its full name.
func (r *keyReader) add(table string, key unstable.Iterator) (string, error) {
	line := 1
	var parts []string
	if table != "" {
		parts = append(parts, table)
	}
	for key.Next() {
		n := key.Node()
		line = 1 + bytes.Count(r.parser.Data()[:n.Raw.Offset], []byte("\n"))
		parts = append(parts, string(n.Data))
	}
	name := strings.Join(parts, ".")
	if !r.knows(name) {
		return "", fmt.Errorf("%d: %q is not a known key", line, name)
	}
	r.found[name] = line
	return name, nil
}

func (r *keyReader) knows(name string) bool {
	if first, rest, ok := strings.Cut(name, "["); ok { // an element of an array of tables
		_, key, _ := strings.Cut(rest, "]")
		name = first + key
	}
	if table, key, ok := strings.Cut(name, "."); ok && !strings.Contains(key, ".") && slices.Contains(r.known, table+".*") {
		return true
	}
	return slices.Contains(r.known, name) && !strings.HasSuffix(name, "*")
}

// Keys names what a configuration may hold, tables apart.
func Keys() []string {
	var out []string
	for _, key := range known {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, key+".") }) && !strings.HasSuffix(key, "*") {
			out = append(out, key)
		}
	}
	return out
}
