package conf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/eci-runtime/eci/policy"
)

const (
	// Env names the environment variable by which the administrator, who starts
	// containerd, moves the configuration. Clients cannot set it.
	Env = "ECI_CONFIG"

	// Path is the main file where Env is not set.
	Path = "/etc/eci/config.toml"
)

// ErrNotListed says that a client's runtime options name a configuration that the
// administrator's does not list in policies.
var ErrNotListed = errors.New("not in policies of the configuration")

// Source is where a configuration is read from. The zero value is the host's, for
// whoever sees the host's files.
type Source struct {
	// Root is the root directory of the host; nil: that of the process. An O_PATH
	// descriptor will do.
	Root *os.File

	// Main is the absolute path of the main file, which then has to exist. Empty:
	// what Env names, or Path, which need not exist.
	Main string
}

// Load reads the configuration. Its errors are one line and name the file.
func (s Source) Load() (policy.Config, error) {
	files, err := s.Files()
	if err != nil {
		return policy.Config{}, err
	}
	return Parse(files)
}

// Choose lays the file that a client's runtime options name over a configuration;
// none leaves it as it is. The error wraps ErrNotListed if the client may not choose
// the file.
func (s Source) Choose(cfg policy.Config, chosen string) (policy.Config, error) {
	if chosen == "" {
		return cfg, nil
	}
	if !slices.Contains(cfg.Policies, chosen) {
		return policy.Config{}, fmt.Errorf("configuration %q is %w", chosen, ErrNotListed)
	}
	data, err := s.readChosen(chosen)
	if err != nil {
		return policy.Config{}, fmt.Errorf("configuration: %w", err)
	}
	return policy.ParseChosen(cfg, chosen, data)
}

// Files reads the files of the configuration in the order in which they count.
func (s Source) Files() ([]File, error) {
	main, named := s.MainFile()
	files, err := readAll(s.Root, main, named)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return files, nil
}

// MainFile is the path of the main file, and whether somebody has named it.
func (s Source) MainFile() (path string, named bool) {
	if s.Main != "" {
		return s.Main, true
	}
	if path := os.Getenv(Env); path != "" {
		return path, true
	}
	return Path, false
}

// Parse lays files over the defaults, in their order.
func Parse(files []File) (policy.Config, error) {
	cfg := policy.Default()
	var err error
	for _, f := range files {
		if f.Kind == Pins {
			cfg.Sockets.Pins, err = policy.ParsePins(f.Path, f.Data)
		} else {
			cfg, err = policy.ParseOver(cfg, f.Path, f.Data)
		}
		if err != nil {
			return policy.Config{}, err
		}
	}
	return cfg, nil
}

func (s Source) readChosen(path string) ([]byte, error) {
	var w walker
	defer w.Close()
	at, err := w.start(s.Root)
	if err != nil {
		return nil, err
	}
	dir, name := filepath.Split(path)
	if dir != "/" {
		if at, _, err = w.open(at, dir, dirFlags); err != nil {
			return nil, err
		}
	}
	return w.read(at, name)
}
