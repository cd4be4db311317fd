package shim

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestRequireHost(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"         0          0 4294967295\n":                             nil,
		"         0     100000      65536\n":                             errNested,
		"         0       1000          1\n         1     100000  65536": errNested,
		"": errNested,
	} {
		file := filepath.Join(t.TempDir(), "uid_map")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := requireHost(file); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
