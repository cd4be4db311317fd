package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/audit"
)

// inspection is what eci knows of a container.
type inspection struct {
	process

	// UserNS is the number of its user namespace, as readlink(1) shows it.
	UserNS string `json:"userNamespace,omitempty"`
	// Shim is the process that serves it.
	Shim *inspectedShim `json:"shim,omitempty"`
	// Usage is what it uses; nil: it does not run.
	Usage *usage `json:"usage,omitempty"`
	// Layers are the directories of its root file system, the upper one first, as the
	// spec that the client has sent names them.
	Layers []string `json:"layers,omitempty"`
	// Mounts are those of its mount namespace.
	Mounts []inspectedMount `json:"mounts,omitempty"`
	// Brokers are the processes that stand between it and an engine.
	Brokers []int `json:"brokers,omitempty"`
	// Modes are the rules that were not enforced when it was created.
	Modes map[string]string `json:"modes,omitempty"`
	// Audit are the lines of the audit log about it, the oldest first.
	Audit []audit.Line `json:"audit"`
}

type inspectedShim struct {
	Pid      int           `json:"pid"`
	Group    string        `json:"group,omitempty"`
	Replaced bool          `json:"binaryReplaced,omitempty"`
	CPU      time.Duration `json:"cpuNanoseconds"`
	Resident uint64        `json:"residentBytes"`
}

func newInspectCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect ID",
		Short: "show all that is known of a container",
		Long: `inspect shows a container of this runtime: its host IDs and user namespace, the shim and
the brokers that serve it, what it uses, the layers of its root file system, the mounts
that it sees, and what was decided about it. ID may be the beginning of one, if there is
only one such.

What it prints is read from the state directory, the bundle, /proc and the audit log.`,
		Example: `  eci inspect web-1
  eci inspect --namespace k8s.io 4f1c
  eci inspect web-1 --json | jq .usage`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeContainer,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.inspect(cmd.Context(), args[0]) },
	}
}

// completeContainer offers the ids of containers.
func (a *app) completeContainer(_ *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	found, _ := a.processes()
	var ids []string
	for _, p := range found {
		if len(args) == 0 && strings.HasPrefix(p.Container, begin) {
			ids = append(ids, p.Container)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// choose finds the container of an id, or of the beginning of one.
func (a *app) choose(id string) (process, error) {
	found, err := a.processes()
	if err != nil {
		return process{}, err
	}
	var like []process
	for _, p := range found {
		if p.Container == id {
			like = append([]process{p}, slices.DeleteFunc(like, func(q process) bool { return q.Container != id })...)
			continue
		}
		if strings.HasPrefix(p.Container, id) && (len(like) == 0 || like[0].Container != id) {
			like = append(like, p)
		}
	}
	switch len(like) {
	case 0:
		return process{}, fmt.Errorf("no container of this runtime is called %q", id)
	case 1:
		return like[0], nil
	}
	var names []string
	for _, p := range like {
		names = append(names, p.Namespace+"/"+p.Container)
	}
	return process{}, fmt.Errorf("%q is not one container: %s; say more of it, or --namespace", id, strings.Join(names, ", "))
}

func (a *app) inspect(ctx context.Context, id string) error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	p, err := a.choose(id)
	if err != nil {
		return err
	}
	x := inspection{process: p, Audit: []audit.Line{}}
	if p.Pid > 0 {
		x.UserNS, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/user", p.Pid))
		x.Mounts = mountsOf(p.Pid)
	}
	if u, ok := usageOf(cgroupsOf(p.Bundle)); ok {
		x.Usage = &u
	}
	x.Layers = layersOf(x.Mounts)
	x.serve()
	if err := a.addDecisions(ctx, &x); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(x)
	}
	x.show(i)
	return nil
}

// serve finds the processes that serve it.
func (x *inspection) serve() {
	groups := []string{x.Container}
	var spec specs.Spec
	if data, err := os.ReadFile(filepath.Join(x.Bundle, "config.json")); err == nil && json.Unmarshal(data, &spec) == nil {
		groups = append(groups, spec.Annotations["io.containerd.runc.v2.group"], spec.Annotations["io.kubernetes.cri.sandbox-id"])
	}
	for _, s := range shims() {
		if n := slices.Index(s.args, "-namespace"); n < 0 || n+1 >= len(s.args) || s.args[n+1] != x.Namespace {
			continue
		}
		if g := s.group(); g != "" && slices.Contains(groups, g) {
			x.Shim = &inspectedShim{Pid: s.pid, Group: g, Replaced: s.replaced, CPU: s.cpu, Resident: s.resident}
			x.Brokers = childrenNamed(s.pid, "broker")
		}
	}
}

// childrenNamed are the children of a process that run a command of eci.
func childrenNamed(parent int, command string) []int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if err != nil {
		return nil
	}
	var out []int
	for _, word := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			continue
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if args := strings.Split(string(line), "\x00"); slices.Contains(args, command) {
			out = append(out, pid)
		}
	}
	return out
}

// addDecisions adds the lines of the audit log.
func (a *app) addDecisions(ctx context.Context, x *inspection) error {
	cfg, err := a.source().Load()
	if err != nil || cfg.Audit.File == "" {
		return err
	}
	_, err = readLogs(ctx, cfg.Audit.File, time.Time{}, false, func(_ []byte, l audit.Line) {
		if l.Namespace != x.Namespace || l.Container != x.Container {
			return
		}
		x.Audit = append(x.Audit, l)
		if l.Action == audit.Create && l.Rule == "" {
			x.Modes = nil
			for rule, mode := range l.Modes {
				if x.Modes == nil {
					x.Modes = map[string]string{}
				}
				x.Modes[rule] = string(mode)
			}
		}
	})
	if errors.Is(err, os.ErrPermission) {
		return errors.New("inspect needs root: it reads the audit log")
	}
	return err
}
