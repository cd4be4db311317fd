package policy

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// file is the configuration as it is written; what is nil was not.
type file struct {
	StateDir  *string   `toml:"state_dir"`
	Runc      *string   `toml:"runc"`
	RuncRoots *[]string `toml:"runc_roots"`
	IDs       struct {
		Base *uint32 `toml:"base"`
		Size *uint32 `toml:"size"`
		End  *uint32 `toml:"end"`
	} `toml:"ids"`
	Devices struct {
		Allow *[]string `toml:"allow"`
	} `toml:"devices"`
}

// Parse reads a configuration; what data does not set stays as in [Default].
// The name stands in errors only. Every mistake is an error: an unknown key, a
// wrong type, a number that does not fit, a value that makes no sense. Errors
// wrap [ErrConfig] and start with name:line: key.
func Parse(name string, data []byte) (Config, error) {
	var f file
	if err := toml.Unmarshal(data, &f); err != nil {
		return Config{}, fmt.Errorf("%w: %s:%w", ErrConfig, name, located(err))
	}
	keys, err := readKeys(data)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %s:%w", ErrConfig, name, err)
	}
	cfg := f.over(Default())
	for _, c := range checks {
		if reason := c.check(cfg); reason != "" {
			return Config{}, fmt.Errorf("%w: %s:%d: %s: %s", ErrConfig, name, keys.line(c.key, c.or...), c.key, reason)
		}
	}
	return cfg, nil
}

// over lays what was written over cfg.
func (f *file) over(cfg Config) Config {
	set(&cfg.StateDir, f.StateDir)
	set(&cfg.Runc, f.Runc)
	set(&cfg.RuncRoots, f.RuncRoots)
	set(&cfg.IDs.Base, f.IDs.Base)
	set(&cfg.IDs.Size, f.IDs.Size)
	set(&cfg.IDs.End, f.IDs.End)
	set(&cfg.Devices.Allow, f.Devices.Allow)
	return cfg
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// located turns an error of the TOML package into "line: key: reason".
func located(err error) error {
	var d *toml.DecodeError
	if !errors.As(err, &d) {
		return err
	}
	line, _ := d.Position()
	reason := strings.TrimPrefix(d.Error(), "toml: ")
	if key := strings.Join(d.Key(), "."); key != "" {
		reason = key + ": " + reason
	}
	return fmt.Errorf("%d: %s", line, reason)
}

// checks are the conditions that types cannot express, in the order of the
// file. A check gives the reason, or nothing. The keys in or are tried for a
// line number where the key itself was not written.
var checks = []struct {
	key   string
	or    []string
	check func(Config) string
}{
	{key: "state_dir", check: func(c Config) string { return badDir(c.StateDir) }},
	{key: "runc", check: func(c Config) string {
		if c.Runc == "" {
			return ""
		}
		return badDir(c.Runc)
	}},
	{key: "runc_roots", check: func(c Config) string {
		for i, p := range c.RuncRoots {
			if reason := badDir(p); reason != "" {
				return fmt.Sprintf("[%d]: %s", i, reason)
			}
		}
		return ""
	}},
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
	{key: "devices.allow", check: func(c Config) string {
		for i, p := range c.Devices.Allow {
			if reason := badPattern(p); reason != "" {
				return fmt.Sprintf("[%d]: %s", i, reason)
			}
		}
		return ""
	}},
}

// badDir says what is wrong with the path of something that is ours.
func badDir(p string) string {
	switch {
	case !path.IsAbs(p):
		return fmt.Sprintf("%q is not an absolute path", p)
	case path.Clean(p) != p:
		return fmt.Sprintf("%q is not a clean path: write %q", p, path.Clean(p))
	case p == "/":
		return `"/" is not a place of our own`
	case strings.ContainsRune(p, 0):
		return fmt.Sprintf("%q holds a null byte", p)
	}
	return ""
}

func badPattern(p string) string {
	if !strings.HasPrefix(p, "/dev/") {
		return fmt.Sprintf("%q is not below /dev/", p)
	}
	if path.Clean(p) != p {
		return fmt.Sprintf("%q is not a clean path: write %q", p, path.Clean(p))
	}
	if _, err := path.Match(p, ""); err != nil {
		return fmt.Sprintf("%q is not a pattern of path.Match: %v", p, err)
	}
	return ""
}
