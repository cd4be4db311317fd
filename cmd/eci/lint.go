package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/policy"
)

// remark is something in a policy that holds, and may not be meant.
type remark struct {
	Key  string `json:"key"`
	Text string `json:"text"`
}

// lintResult is the outcome of eci policy lint.
type lintResult struct {
	Files   []string `json:"files"`
	Valid   bool     `json:"valid"`
	Error   string   `json:"error,omitempty"`
	Remarks []remark `json:"remarks"`
}

func newLintCommand(a *app) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint [FILE...]",
		Short: "look for mistakes in the policy",
		Long: `lint reads the configuration as the runtime does, and says what is wrong with it: a
mistake, with which no container starts, or a remark about what holds but may not be
meant, such as a restricted path that an exception opens.

With FILEs it reads these instead, in their order, over the defaults, whoever owns
them: to try a change before it is installed. "-" is standard input.

The exit status is 0 if the configuration is valid, and 1 if it is not; with --strict
also if there is a remark.`,
		Example: `  eci policy lint
  eci policy lint /etc/eci/config.toml ./20-new.toml
  eci policy lint --strict`,
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := a.policyFiles(cmd, args)
			if err != nil && len(args) > 0 {
				return err
			}
			r := lintResult{Remarks: []remark{}, Files: []string{}}
			for _, f := range files {
				r.Files = append(r.Files, f.Path)
			}
			var cfg policy.Config
			if err == nil {
				cfg, err = conf.Parse(files)
			}
			if err != nil {
				r.Error = err.Error()
			} else {
				r.Valid = true
				r.Remarks = append(r.Remarks, lint(cfg, files)...)
			}
			if err := a.showLint(r); err != nil {
				return err
			}
			if !r.Valid || strict && len(r.Remarks) > 0 {
				return no
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "a remark counts as a mistake")
	return cmd
}

func (a *app) showLint(r lintResult) error {
	if a.json {
		return a.printJSON(r)
	}
	i, err := a.ink()
	if err != nil {
		return err
	}
	for _, f := range r.Files {
		i.printf("%s\n", i.paint(faint, f))
	}
	if !r.Valid {
		i.para(0, "error: ", red, r.Error)
		return nil
	}
	for _, remark := range r.Remarks {
		i.para(0, "remark: ", yellow, remark.Key+": "+remark.Text)
	}
	if len(r.Files) == 0 {
		i.printf("There is no file: the defaults hold.\n")
	}
	i.printf("%s\n", i.paint(green, fmt.Sprintf("valid, %d remarks", len(r.Remarks))))
	return nil
}

// lint looks for what holds and may not be meant.
func lint(cfg policy.Config, files []conf.File) []remark {
	var out []remark
	add := func(key, format string, args ...any) {
		out = append(out, remark{key, fmt.Sprintf(format, args...)})
	}
	for _, rule := range slices.Sorted(maps.Keys(cfg.Rules)) {
		switch cfg.Rules[rule] {
		case policy.Warn:
			add("rules."+rule, "the rule lets everything pass, and only writes it to the log")
		case policy.Off:
			add("rules."+rule, "the rule is off: nobody looks, and nothing is written to the log")
		}
	}
	out = append(out, lintMounts(cfg, files)...)
	for _, name := range cfg.Sockets.Unpinned() {
		add("sockets.images", "%q has no pin, and lets no container pass: eci policy pin", name)
	}
	if len(cfg.Sockets.Images) > 0 && cfg.Sockets.Commands.Type == "" {
		add("sockets.commands", "not set: containers of these images can ask their engine for everything, a container with the host's root included")
	}
	if c := cfg.Sockets.Commands; c.Type == "deny" && len(c.List) == 0 {
		add("sockets.commands.list", "is empty, and so denies nothing")
	}
	for _, p := range cfg.Devices.Allow {
		if risky(p) {
			add("devices.allow", "%q gives whole disks or the host's memory away: what lies there is the container's", p)
		}
	}
	if !cfg.Emulation.Enabled {
		add("emulation.enabled", "containers see the memory, the processors and the settings of the host")
	}
	if cfg.Sysctl.Ceilings["net.netfilter.nf_conntrack_max"] > manyConnections {
		add("sysctl.ceilings", "more than %d tracked connections take gigabytes, in each network namespace, which no memory limit counts", manyConnections)
	}
	if cfg.Audit.File == "" && !cfg.Audit.Journal {
		add("audit", "nothing is written down")
	}
	if len(cfg.RuncRoots) == 0 {
		add("runc_roots", "is empty: clients that name a directory for runc's state are refused, Docker and containerd's CRI plugin among them")
	}
	return out
}

// manyConnections take 2.5 GiB, at 320 bytes each (struct nf_conn).
const manyConnections = 8 << 20

// riskyDevices are nodes behind which the host itself lies.
var riskyDevices = []string{
	"/dev/sda", "/dev/sda1", "/dev/vda", "/dev/xvda", "/dev/nvme0n1", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/loop0", "/dev/loop-control",
	"/dev/dm-0", "/dev/mapper/control", "/dev/md0", "/dev/sg0", "/dev/kmsg", "/dev/uinput", "/dev/input/event0", "/dev/tty0", "/dev/tty1", "/dev/hvc0", "/dev/ttyS0",
}

func risky(pattern string) bool {
	return slices.ContainsFunc(riskyDevices, func(name string) bool {
		ok, _ := filepath.Match(pattern, name)
		return ok
	})
}
