package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/eci-runtime/eci/internal/host"
)

// shimName is what containerd makes of the runtime's name.
const shimName = "containerd-shim-eci-v2"

func probeContainerd(ctx context.Context, b *bench) []finding {
	const what = "containerd"
	ctx, cancel := timed(ctx)
	defer cancel()
	mend := "start containerd, or name its socket with --address"
	if b.pid == 0 {
		return []finding{{what, missing, "nobody answers at " + b.app.address, nothingStarts, mend}}
	}
	c, err := b.app.connect(ctx)
	if err != nil {
		return []finding{{what, missing, err.Error(), nothingStarts, mend}}
	}
	defer c.Close()
	v, err := c.Version(ctx)
	if err != nil {
		return []finding{{what, missing, err.Error(), nothingStarts, mend}}
	}
	return ok(what, "%s at %s (process %d)", v.Version, b.app.address, b.pid)
}

// snapshotters are the directories of containerd's snapshotters.
func (b *bench) snapshotters(ctx context.Context) []string {
	if b.pid == 0 {
		return nil
	}
	ctx, cancel := timed(ctx)
	defer cancel()
	c, err := b.app.connect(ctx)
	if err != nil {
		return nil
	}
	defer c.Close()
	plugins, err := c.IntrospectionService().Plugins(ctx, "type==io.containerd.snapshotter.v1")
	if err != nil {
		return nil
	}
	var dirs []string
	for _, p := range plugins.Plugins {
		if root := p.Exports["root"]; root != "" && p.InitErr == nil {
			dirs = append(dirs, root)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// probeBinaries compares this program with the runtime that containerd would start.
func probeBinaries(ctx context.Context, b *bench) []finding {
	const what = "runtime"
	shim := b.find(shimName)
	if shim == "" {
		return []finding{{what, missing, shimName + " is not in containerd's PATH: " + b.dirsOfPath(), nothingStarts + ", unless clients name the binary by its path", "install " + shimName + " in one of these directories"}}
	}
	ctx, cancel := timed(ctx)
	defer cancel()
	out, err := exec.CommandContext(ctx, shim, "-v").Output()
	if err != nil {
		return []finding{{what, missing, fmt.Sprintf("%s -v: %v", shim, err), nothingStarts, "install the runtime again"}}
	}
	var found []finding
	v := "unknown"
	if m := shimVersion.FindSubmatch(out); m != nil {
		v = string(m[1])
	}
	if v == version {
		found = ok(what, "%s, version %s", shim, v)
	} else {
		found = append(found, finding{
			what, worse, fmt.Sprintf("%s is version %s, this program is %s", shim, v, version),
			"what eci says may not be what the runtime does", "install both from one build",
		})
	}
	if beside := filepath.Join(filepath.Dir(real(shim)), "eci"); !isProgram(beside) {
		found = append(found, finding{
			what, worse, beside + " does not exist",
			"containers cannot be given an engine's socket: the runtime asks this program what their images are", "install eci beside the runtime",
		})
	}
	return found
}

var shimVersion = regexp.MustCompile(`(?m)^\s*Version:\s+(\S+)$`)

// real is a path without symbolic links, as os.Executable of the program has it.
func real(path string) string {
	if r, err := filepath.EvalSymlinks(path); err == nil {
		return r
	}
	return path
}

func isProgram(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

func probeRunc(ctx context.Context, b *bench) []finding {
	const what, mend = "runc", "install runc 1.2 or newer, or name it in the configuration: runc = \"/path\""
	path := b.cfg.Runc
	if path == "" {
		path = b.find("runc")
	}
	if path == "" {
		return []finding{{what, missing, "not in containerd's PATH: " + b.dirsOfPath(), nothingStarts, mend}}
	}
	ctx, cancel := timed(ctx)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return []finding{{what, missing, fmt.Sprintf("%s --version: %v", path, err), nothingStarts, mend}}
	}
	version, err := host.RuncVersion(path, out)
	if err != nil {
		return []finding{{what, missing, err.Error(), nothingStarts, mend}}
	}
	return ok(what, "%s, version %s", path, version)
}
