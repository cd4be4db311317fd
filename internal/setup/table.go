package setup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table is a table of TOML, and those in it. It writes values as containerd's defaults have
// them: strings, numbers, truth values, and lists of strings.
func table(name string, values map[string]any) string {
	var text, inner strings.Builder
	fmt.Fprintf(&text, "[%s]\n", name)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		switch v := values[key].(type) {
		case map[string]any:
			inner.WriteString(table(name+"."+key, v))
		case string:
			fmt.Fprintf(&text, "%s = %q\n", key, v)
		case []any:
			words := make([]string, len(v))
			for i, word := range v {
				words[i] = fmt.Sprintf("%q", word)
			}
			fmt.Fprintf(&text, "%s = [%s]\n", key, strings.Join(words, ", "))
		default:
			fmt.Fprintf(&text, "%s = %v\n", key, v)
		}
	}
	return text.String() + inner.String()
}
