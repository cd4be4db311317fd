package setup

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// Handler is a runtime handler of containerd's CRI plugin.
type Handler struct {
	// Name is what a RuntimeClass names.
	Name string
	// Path is the shim's binary. With a path, and runc's type, CRI gives the shim runc's
	// options, and asks it what it can do: hostUsers: false depends on the answer.
	Path string
	// SystemdCgroup is that of the kubelet's cgroup driver.
	SystemdCgroup bool
	// Runc is what containerd 1.7 has for the handler "runc" now, by keys of its
	// configuration: it is its default, and gone where others are named beside it.
	Runc map[string]any
}

// Containerd is where containerd's configuration is, and whose.
type Containerd struct {
	// Major and Minor are containerd's version. Until 1.7 it takes version 2 of the
	// configuration, and a file that is imported replaces all of a plugin's settings.
	Major, Minor int
	// Main is the main file, and DropIn the directory of those that it imports.
	Main, DropIn string
	// Record tells which files are ours already, and may be brought up to date.
	Record Record
}

// The names of the CRI plugin, which has its runtimes, until and since 2.0.
const (
	criOld = "io.containerd.grpc.v1.cri"
	criNew = "io.containerd.cri.v1.runtime"
)

// config is what has to be known of containerd's configuration.
type config struct {
	Version  int            `toml:"version"`
	Imports  []string       `toml:"imports"`
	Disabled []string       `toml:"disabled_plugins"`
	Plugins  map[string]any `toml:"plugins"`
}

func parseConfig(f File) (config, error) {
	var c config
	if err := toml.Unmarshal(f.Data, &c); err != nil {
		return c, fmt.Errorf("%s: %w: %w", f.Path, ErrForm, err)
	}
	return c, nil
}

// Plan gives the edits that make a runtime handler known to the CRI plugin; none where it is
// known already. The note says why nothing is to be done for a plugin that is switched off.
func (c Containerd) Plan(h Handler) (edits []Edit, note string, err error) {
	main, err := ReadFile(c.Main)
	if err != nil {
		return nil, "", err
	}
	cfg, err := parseConfig(main)
	if err != nil {
		return nil, "", err
	}
	if slices.ContainsFunc(cfg.Disabled, func(name string) bool { return name == "cri" || name == criOld || name == criNew }) {
		return nil, "CRI, by which Kubernetes comes, is switched off in " + main.Path + ": there is nothing to configure", nil
	}
	if main.Exists && len(bytes.TrimSpace(main.Data)) > 0 && cfg.Version < 2 {
		return nil, "", fmt.Errorf("%s: %w: it is of version 1: bring it up to date (containerd config migrate)", main.Path, ErrForm)
	}
	h.SystemdCgroup = h.SystemdCgroup || cfg.systemd()
	if c.Major < 2 {
		edits, err = planBlock(main, cfg, h)
	} else {
		edits, err = c.planDropIn(main, cfg, h)
	}
	return edits, "", err
}

// systemd tells whether runc's handler uses systemd's cgroups, and so must ours.
func (c config) systemd() bool {
	for _, name := range []string{criOld, criNew} {
		value := any(c.Plugins[name])
		for _, key := range []string{"containerd", "runtimes", "runc", "options", "SystemdCgroup"} {
			table, _ := value.(map[string]any)
			value = table[key]
		}
		if value == true {
			return true
		}
	}
	return false
}

// knows gives what is said of a handler.
func (c config) knows(name string) (map[string]any, bool) {
	for _, plugin := range []string{criOld, criNew} {
		value := any(c.Plugins[plugin])
		for _, key := range []string{"containerd", "runtimes", name} {
			table, _ := value.(map[string]any)
			value = table[key]
		}
		if table, ok := value.(map[string]any); ok {
			return table, true
		}
	}
	return nil, false
}

// tables are a handler in TOML.
func (h Handler) tables(plugin string) string {
	table := fmt.Sprintf("plugins.'%s'.containerd.runtimes.%s", plugin, h.Name)
	text := fmt.Sprintf("[%s]\nruntime_type = 'io.containerd.runc.v2' # whose options it takes\nruntime_path = '%s'\n", table, h.Path)
	if h.SystemdCgroup {
		text += fmt.Sprintf("[%s.options]\nSystemdCgroup = true\n", table)
	}
	return text
}

// The lines around what is ours in a file of somebody else.
const (
	blockBegin = "# BEGIN eci: eci uninstall takes this away\n"
	blockEnd   = "# END eci\n"
)

// planBlock appends the handler to the main file, which containerd 1.x needs: what it
// imports would replace the plugin's whole table.
func planBlock(main File, cfg config, h Handler) ([]Edit, error) {
	block := blockBegin
	if _, ok := cfg.knows("runc"); !ok && h.Runc != nil {
		block += table("plugins.'"+criOld+"'.containerd.runtimes.runc", h.Runc)
	}
	block += h.tables(criOld) + blockEnd
	if _, ok := cfg.knows(h.Name); ok {
		if bytes.Contains(main.Data, []byte(h.tables(criOld)+blockEnd)) {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: the runtime handler %q %w", main.Path, h.Name, ErrTaken)
	}
	before := main.Data
	part := Part{Kind: Lines, Text: block}
	if len(bytes.TrimSpace(before)) == 0 {
		before, part.Kind, part.Text = []byte("version = 2\n"), Whole, ""
	}
	if before[len(before)-1] != '\n' {
		block = "\n" + block
		part.Text = block
	}
	after := slices.Concat(before, []byte(block))
	changed, err := parseConfig(File{Path: main.Path, Data: after})
	if err != nil {
		return nil, err
	}
	if _, ok := changed.knows(h.Name); !ok {
		return nil, fmt.Errorf("%s: %w: the handler cannot be appended", main.Path, ErrForm)
	}
	return []Edit{newEdit(main, after, part)}, nil
}

// dropInName is the file that is ours.
const dropInName = "50-eci.toml"

// planDropIn writes a file of our own, and has the main file import the directory.
func (c Containerd) planDropIn(main File, cfg config, h Handler) ([]Edit, error) {
	drop, err := ReadFile(filepath.Join(c.DropIn, dropInName))
	if err != nil {
		return nil, err
	}
	// It has the version of the main file: until 2.3, of two that differ the handlers of one
	// are lost.
	version, plugin := 3, criNew
	if cfg.Version == 2 {
		version, plugin = 2, criOld
	}
	text := fmt.Sprintf("# Written by eci install; eci uninstall takes it away.\nversion = %d\n\n%s", version, h.tables(plugin))
	if _, ok := cfg.knows(h.Name); ok {
		return nil, fmt.Errorf("%s: the runtime handler %q %w", main.Path, h.Name, ErrTaken)
	}
	var edits []Edit
	switch {
	case !drop.Exists:
		edits = append(edits, newEdit(drop, []byte(text), Part{Kind: Whole}))
	case string(drop.Data) == text:
	case c.Record.wrote(drop):
		edits = append(edits, newEdit(drop, []byte(text), Part{Kind: Whole}))
	default:
		return nil, fmt.Errorf("%s: the file %w", drop.Path, ErrTaken)
	}
	if !imported(cfg.Imports, filepath.Dir(main.Path), drop.Path, filepath.Join(c.DropIn, dropInName)) {
		e, err := planImport(main, filepath.Join(c.DropIn, "*.toml"))
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return edits, nil
}

// imported tells whether one of the patterns leads to one of some paths.
func imported(patterns []string, dir string, paths ...string) bool {
	for _, pattern := range patterns {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		for _, path := range paths {
			if ok, err := filepath.Match(pattern, path); ok && err == nil {
				return true
			}
		}
	}
	return false
}
