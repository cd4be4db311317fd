package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// known are the keys that a configuration may hold.
var known = []string{
	"state_dir", "runc", "runc_roots",
	"ids", "ids.base", "ids.size", "ids.end",
	"devices", "devices.allow",
}

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

// readKeys walks over a document that is known to be TOML and refuses unknown
// keys. It is stricter than the decoder's DisallowUnknownFields, which takes
// STATE_DIR for state_dir, and it keeps the lines for what is checked later.
func readKeys(data []byte) (lines, error) {
	found := lines{}
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		n := p.Expression()
		var err error
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			table, err = found.add(&p, "", n.Key())
		case unstable.KeyValue:
			err = found.value(&p, table, n)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, p.Error()
}

// value adds the key of a key-value pair, and those of an inline table in it.
func (l lines) value(p *unstable.Parser, table string, n *unstable.Node) error {
	name, err := l.add(p, table, n.Key())
	if err != nil || n.Value().Kind != unstable.InlineTable {
		return err
	}
	for it := n.Value().Children(); it.Next(); {
		if err := l.value(p, name, it.Node()); err != nil {
			return err
		}
	}
	return nil
}

// add notes one key, which may be dotted, and gives its full name.
func (l lines) add(p *unstable.Parser, table string, key unstable.Iterator) (string, error) {
	line := 1
	var parts []string
	if table != "" {
		parts = append(parts, table)
	}
	for key.Next() {
		n := key.Node()
		line = 1 + bytes.Count(p.Data()[:n.Raw.Offset], []byte("\n"))
		parts = append(parts, string(n.Data))
	}
	name := strings.Join(parts, ".")
	if !slices.Contains(known, name) {
		return "", fmt.Errorf("%d: %q is not a known key", line, name)
	}
	l[name] = line
	return name, nil
}
