package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// file is the configuration as it is written; what is nil was not.
type file struct {
	StateDir  *string   `toml:"state_dir"`
	Runc      *string   `toml:"runc"`
	RuncRoots *[]string `toml:"runc_roots"`
	Policies  *[]string `toml:"policies"`
	IDs       struct {
		Base *uint32 `toml:"base"`
		Size *uint32 `toml:"size"`
		End  *uint32 `toml:"end"`
	} `toml:"ids"`
	Devices struct {
		Allow *[]string `toml:"allow"`
	} `toml:"devices"`
	Mounts struct {
		Restricted []string  `toml:"restricted"`
		Masked     []string  `toml:"masked"`
		ReadOnly   []string  `toml:"readonly"`
		Except     []string  `toml:"except"`
		Layers     []string  `toml:"layers"`
		Only       *[]string `toml:"only"`
	} `toml:"mounts"`
	Sockets struct {
		Engines      []string     `toml:"engines"`
		Images       *[]string    `toml:"images"`
		AllowDerived *bool        `toml:"allow_derived"`
		Commands     fileCommands `toml:"commands"`
	} `toml:"sockets"`
	Namespaces struct {
		RequireOwn *bool `toml:"require_own"`
	} `toml:"namespaces"`
	Hooks struct {
		Allow *[]string `toml:"allow"`
	} `toml:"hooks"`
	Emulation struct {
		Enabled *bool     `toml:"enabled"`
		Mknod   *[]string `toml:"mknod"`
	} `toml:"emulation"`
	Systemd struct {
		Mode *SystemdMode `toml:"mode"`
	} `toml:"systemd"`
	Sysctl struct {
		Ceilings map[string]int64 `toml:"ceilings"`
	} `toml:"sysctl"`
	State struct {
		Directories *[]string `toml:"directories"`
	} `toml:"state"`
	Rules map[string]Mode `toml:"rules"`
	Audit struct {
		File     *string `toml:"file"`
		Journal  *bool   `toml:"journal"`
		Required *bool   `toml:"required"`
		Log      *logged `toml:"log"`
	} `toml:"audit"`
}

// logged is the word for Audit.Denied.
type logged bool

// UnmarshalText accepts the two words that there are.
func (l *logged) UnmarshalText(text []byte) error {
	switch string(text) {
	case "all":
		*l = false
	case "denied":
		*l = true
	default:
		return fmt.Errorf(`%q is neither "all" nor "denied"`, text)
	}
	return nil
}

type fileCommands struct {
	Type *string   `toml:"type"`
	List *[]string `toml:"list"`
}

// Parse reads a configuration; what data does not set stays as in [Default].
// The name stands in errors only. Every mistake is an error: an unknown key, a
// wrong type, a number that does not fit, a value that makes no sense. Errors
// wrap [ErrConfig] and start with name:line: key.
func Parse(name string, data []byte) (Config, error) {
	return ParseOver(Default(), name, data)
}

// ParseOver reads one more file of a configuration that is valid. Lists of what is
// taken away add up: restricted, masked and read-only paths with their exceptions,
// engines' sockets, denied commands. Every other key replaces what base says.
func ParseOver(base Config, name string, data []byte) (Config, error) {
	return parseOver(base, name, data, nil)
}

// ParseChosen reads a file that a client has chosen among those of Config.Policies.
// It is like [ParseOver], but must not set what is the same for all containers of a
// host: the runtime's directories and runc, the pool of IDs, the log.
func ParseChosen(base Config, name string, data []byte) (Config, error) {
	return parseOver(base, name, data, hostwide)
}

func parseOver(base Config, name string, data []byte, forbidden []string) (Config, error) {
	var f file
	keys, err := decode(name, data, &f, known)
	if err != nil {
		return Config{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if table, _, _ := strings.Cut(key, "."); slices.Contains(forbidden, table) {
			return Config{}, fmt.Errorf("%w: %s:%d: %s: it is the same for all containers, and cannot be set in a file that clients choose", ErrConfig, name, keys[key], key)
		}
	}
	for _, list := range f.added() {
		if reason := first(list.patterns, badPattern); reason != "" {
			return Config{}, fmt.Errorf("%w: %s:%d: %s: %s", ErrConfig, name, keys.line(list.key), list.key, reason)
		}
	}
	cfg := f.over(base)
	for _, c := range checks {
		if reason := c.check(cfg); reason != "" {
			return Config{}, fmt.Errorf("%w: %s:%d: %s: %s", ErrConfig, name, keys.line(c.key, c.or...), c.key, reason)
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(cfg.Rules)) {
		if reason := badMode(rule, cfg.Rules[rule]); reason != "" {
			key := "rules." + rule
			return Config{}, fmt.Errorf("%w: %s:%d: %s: %s", ErrConfig, name, keys.line(key), key, reason)
		}
	}
	return cfg, nil
}

// decode reads a document into a value and gives the lines of its keys.
func decode(name string, data []byte, to any, known []string) (lines, error) {
	if err := toml.Unmarshal(data, to); err != nil {
		return nil, fmt.Errorf("%w: %s:%w", ErrConfig, name, located(err))
	}
	keys, err := readKeys(data, known)
	if err != nil {
		return nil, fmt.Errorf("%w: %s:%w", ErrConfig, name, err)
	}
	return keys, nil
}

// addition is a list that does not replace what was there before.
type addition struct {
	key      string
	patterns []string
}

// added are the patterns of paths that a file adds.
func (f *file) added() []addition {
	return []addition{
		{"mounts.except", f.Mounts.Except},
		{"mounts.layers", f.Mounts.Layers},
		{"mounts.readonly", f.Mounts.ReadOnly},
		{"mounts.masked", f.Mounts.Masked},
		{"mounts.restricted", f.Mounts.Restricted},
		{"sockets.engines", f.Sockets.Engines},
	}
}

// over lays what was written over cfg, of which nothing is changed.
func (f *file) over(cfg Config) Config {
	set(&cfg.StateDir, f.StateDir)
	set(&cfg.Runc, f.Runc)
	set(&cfg.RuncRoots, f.RuncRoots)
	set(&cfg.Policies, f.Policies)
	set(&cfg.IDs.Base, f.IDs.Base)
	set(&cfg.IDs.Size, f.IDs.Size)
	set(&cfg.IDs.End, f.IDs.End)
	set(&cfg.Devices.Allow, f.Devices.Allow)
	cfg.Mounts.Rules = merge(cfg.Mounts.Rules, concatRules(
		except(f.Mounts.Except...), layers(f.Mounts.Layers...), readable(f.Mounts.ReadOnly...),
		masked(f.Mounts.Masked...), restricted(f.Mounts.Restricted...)))
	set(&cfg.Mounts.Only, f.Mounts.Only)
	cfg.Sockets.Engines = union(cfg.Sockets.Engines, f.Sockets.Engines)
	set(&cfg.Sockets.Images, f.Sockets.Images)
	set(&cfg.Sockets.AllowDerived, f.Sockets.AllowDerived)
	cfg.Sockets.Commands = f.Sockets.Commands.over(cfg.Sockets.Commands)
	set(&cfg.Namespaces.RequireOwn, f.Namespaces.RequireOwn)
	set(&cfg.Hooks.Allow, f.Hooks.Allow)
	set(&cfg.Emulation.Enabled, f.Emulation.Enabled)
	set(&cfg.Emulation.Mknod, f.Emulation.Mknod)
	set(&cfg.Systemd, f.Systemd.Mode)
	cfg.Sysctl.Ceilings = laidOver(cfg.Sysctl.Ceilings, f.Sysctl.Ceilings)
	set(&cfg.State.Directories, f.State.Directories)
	cfg.Rules = laidOver(cfg.Rules, f.Rules)
	set(&cfg.Audit.File, f.Audit.File)
	set(&cfg.Audit.Journal, f.Audit.Journal)
	set(&cfg.Audit.Required, f.Audit.Required)
	if f.Audit.Log != nil {
		cfg.Audit.Denied = bool(*f.Audit.Log)
	}
	return cfg
}

// over lays the commands of one file over those before it. A list means something
// only together with its type.
func (f fileCommands) over(c Commands) Commands {
	before := c
	set(&c.Type, f.Type)
	if c.Type != before.Type {
		c.List = nil
	}
	if f.List == nil {
		return c
	}
	if c.Type == before.Type && c.Type == "deny" {
		c.List = union(before.List, *f.List)
	} else {
		c.List = *f.List
	}
	return c
}

// laidOver is a map with what another one says of the same keys, and of more.
func laidOver[V any](m, more map[string]V) map[string]V {
	if len(more) == 0 {
		return m
	}
	out := make(map[string]V, len(m)+len(more))
	maps.Copy(out, m)
	maps.Copy(out, more)
	return out
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// union is a list with what others add to it.
func union(list, more []string) []string {
	list = slices.Clip(list)
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
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
