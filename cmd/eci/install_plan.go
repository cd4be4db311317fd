package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eci-runtime/eci/internal/setup"
)

// handlerName is what a RuntimeClass names, and docker run --runtime.
const handlerName = "eci"

// plan is what eci install will do.
type plan struct {
	edits []setup.Edit
	notes []string

	shim    string // path of the runtime
	runtime string // what containerd is told to run: its name, or its path

	containerd *containerdPlan // nil: it is not configured
	docker     bool
}

// containerdPlan is the part about containerd.
type containerdPlan struct {
	program, config string
	cri             bool // it has the handler, afterwards
	edited          bool
	before          map[string]any // what it makes of its configuration
}

// planInstall looks for engines and at their files.
func (a *app) planInstall(ctx context.Context, f installFlags) (*plan, error) {
	for _, name := range f.engines {
		if !slices.Contains(engineNames, name) {
			return nil, fmt.Errorf("--engine is containerd or docker, not %q", name)
		}
	}
	p := &plan{}
	if err := p.findShim(f); err != nil {
		return nil, err
	}
	record, err := setup.ReadRecord(f.record)
	if err != nil {
		return nil, err
	}
	found := false
	if program := a.findContainerd(f); wants(f, "containerd", program != "") {
		if program == "" {
			return nil, errors.New("containerd is not there: name its binary with --containerd")
		}
		found = true
		if err := p.planContainerd(ctx, f, program, record); err != nil {
			return nil, err
		}
	}
	if wants(f, "docker", dockerIsThere(f)) {
		found = true
		if err := p.planDocker(ctx, f); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, errors.New("there is neither containerd nor Docker on this host: name one with --engine")
	}
	return p, nil
}

// wants tells whether an engine is to be configured.
func wants(f installFlags, engine string, there bool) bool {
	return slices.Contains(f.engines, engine) || len(f.engines) == 0 && there
}

// findShim finds the runtime's binary, and what engines have to call it.
func (p *plan) findShim(f installFlags) error {
	p.shim = f.shim
	if p.shim == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		p.shim = filepath.Join(filepath.Dir(self), shimName)
	}
	path, err := filepath.Abs(p.shim)
	if err != nil {
		return err
	}
	if p.shim = path; !isProgram(path) {
		return fmt.Errorf("the runtime is not installed: %s is no program; name it with --shim", path)
	}
	if strings.ContainsAny(path, "'\"\\\n") {
		return fmt.Errorf("the path of the runtime has a quote or a backslash: %q", path)
	}
	p.runtime = path
	// The PATH of a service (systemd.exec(5)): there containerd finds it by its name.
	if filepath.Base(path) == shimName && slices.Contains([]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}, filepath.Dir(path)) {
		p.runtime = "io.containerd.eci.v2"
	}
	return nil
}

// findContainerd is the binary of the containerd that serves, or would.
func (a *app) findContainerd(f installFlags) string {
	if f.containerd != "" {
		return f.containerd
	}
	if pid := peer(a.address); pid > 0 {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && isProgram(exe) {
			return exe
		}
	}
	program, err := exec.LookPath("containerd")
	if err != nil {
		return ""
	}
	return program
}

func dockerIsThere(f installFlags) bool {
	if _, err := exec.LookPath("dockerd"); err == nil {
		return true
	}
	for _, path := range []string{f.docker, f.dockerConfig} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

var containerdVersion = regexp.MustCompile(`\sv?(\d+)\.(\d+)\.\d+`)

func (p *plan) planContainerd(ctx context.Context, f installFlags, program string, record setup.Record) error {
	ctx, cancel := timed(ctx)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w", program, err)
	}
	m := containerdVersion.FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("%s --version: %q names no version", program, strings.TrimSpace(string(out)))
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	if major < 1 || major == 1 && minor < 7 {
		return fmt.Errorf("containerd %d.%d is too old: the runtime needs 1.7", major, minor)
	}
	c := setup.Containerd{Major: major, Minor: minor, Main: f.containerdConfig, DropIn: f.containerdDropIn, Record: record}
	if c.DropIn == "" {
		c.DropIn = filepath.Join(filepath.Dir(c.Main), "conf.d")
	}
	p.containerd = &containerdPlan{program: program, config: c.Main}
	handler := setup.Handler{Name: handlerName, Path: p.shim}
	if p.containerd.before, err = p.containerd.dump(ctx); err != nil {
		return err
	}
	if major < 2 {
		handler.Runc, _ = runtimesOf(p.containerd.before)["runc"].(map[string]any)
	}
	edits, note, err := c.Plan(handler)
	if err != nil {
		return err
	}
	p.containerd.edited, p.containerd.cri = len(edits) > 0, note == ""
	if note != "" {
		p.notes = append(p.notes, note)
	}
	p.edits = append(p.edits, edits...)
	return nil
}

// changed are the engines whose files are changed.
func (p *plan) changed() []string {
	var out []string
	for _, e := range p.edits {
		name := "containerd"
		if e.Part.Kind == setup.Runtime {
			name = "docker"
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// show prints the plan as differences.
func (p *plan) show(i ink) {
	for _, note := range p.notes {
		i.para(0, "", "", note)
	}
	if len(p.edits) == 0 {
		i.printf("Everything is configured already.\n")
	}
	for _, e := range p.edits {
		showFile(i, e.Path, e.Before, e.After)
	}
}

func showFile(i ink, path string, before, after []byte) {
	i.printf("%s\n", i.paint(bold, printable(path)))
	showDiff(i, lines(before), lines(after))
	i.printf("\n")
}

func lines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// MarshalJSON is the plan for programs.
func (p *plan) MarshalJSON() ([]byte, error) {
	type file struct {
		Path   string `json:"path"`
		Exists bool   `json:"exists"`
		Before string `json:"before"`
		After  string `json:"after"`
	}
	out := struct {
		Runtime string   `json:"runtime"`
		Files   []file   `json:"files"`
		Notes   []string `json:"notes"`
	}{p.runtime, []file{}, p.notes}
	for _, e := range p.edits {
		out.Files = append(out.Files, file{e.Path, e.Existed, string(e.Before), string(e.After)})
	}
	return json.Marshal(out)
}
