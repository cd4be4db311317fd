package pseudofs

import (
	"os"
	"regexp"
	"testing"
)

// TestDocs: docs/pseudo-files.md has a row for each node, in the order of the table, with its
// kind.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/pseudo-files.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[kind]string{view: "view", local: "local", limit: "max", fixed: "fixed"}
	rows := regexp.MustCompile("(?m)^\\| `/((?:proc|sys)/[^`]+)` \\| (\\w+) \\| \\S").FindAllSubmatch(data, -1)
	if len(rows) != len(nodes) {
		t.Errorf("%d rows for %d nodes", len(rows), len(nodes))
	}
	for i := range min(len(rows), len(nodes)) {
		path, kind := string(rows[i][1]), string(rows[i][2])
		if n := nodes[i]; path != n.path || kind != names[n.kind] {
			t.Errorf("row %d is %s %s, want %s %s", i, path, kind, n.path, names[n.kind])
		}
	}
}
