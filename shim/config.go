package shim

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/eci-runtime/eci/policy"
)

const (
	// configEnv names the environment variable by which the administrator, who
	// starts containerd, moves the configuration. Clients cannot set it.
	configEnv = "ECI_CONFIG"
	// configPath is read when configEnv is not set.
	configPath = "/etc/eci/config.toml"
)

// loadConfig reads the administrator's configuration. Without a file the defaults
// apply; a file that was named and is not there, that is not valid, or that
// somebody else than root could write is an error, and nothing starts.
func loadConfig() (policy.Config, error) {
	path, named := os.Getenv(configEnv), true
	if path == "" {
		path, named = configPath, false
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && !named {
		return policy.Default(), nil
	}
	if err != nil {
		return policy.Config{}, fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return policy.Config{}, fmt.Errorf("configuration: %w", err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 0 || info.Mode().Perm()&0o022 != 0 {
		return policy.Config{}, fmt.Errorf("configuration %s must belong to root and be writable by nobody else (owner %d, mode %#o)", path, st.Uid, info.Mode().Perm())
	}
	data := make([]byte, info.Size())
	if _, err := f.ReadAt(data, 0); err != nil && len(data) > 0 {
		return policy.Config{}, fmt.Errorf("configuration: %w", err)
	}
	return policy.Parse(path, data)
}
