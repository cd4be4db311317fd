package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadConfigTrustsRootOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	t.Setenv(configEnv, path)
	if _, err := loadConfig(); err == nil {
		t.Error("a file that was named and is not there is no error")
	}
	write := func(text string, mode os.FileMode, uid int) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, 0); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file away")
	}
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		uid        int
		err        string
	}{
		{"valid", "state_dir = \"/run/x\"\n", 0o644, 0, ""},
		{"empty", "", 0o644, 0, ""},
		{"of another user", "", 0o644, 1000, "must belong to root"},
		{"writable by the group", "", 0o664, 0, "must belong to root"},
		{"writable by all", "", 0o646, 0, "must belong to root"},
		{"an unknown key", "statedir = \"/x\"\n", 0o644, 0, "statedir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(c.text, c.mode, c.uid)
			_, err := loadConfig()
			if (err == nil) != (c.err == "") || !strings.Contains(errText(err), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
	}
}
