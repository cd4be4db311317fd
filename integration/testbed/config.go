package testbed

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// IDs is the pool of host IDs that the runtime hands out, as in its
// configuration. The zero value leaves the runtime's defaults.
type IDs struct {
	Base uint32 // first host ID
	Size uint32 // IDs per container
	End  uint32 // last host ID
}

// disabledPlugins are parts of containerd that a bed does not need and that
// would touch the host: CRI and NRI with their sockets and CNI configuration,
// /opt/containerd, and snapshotters that look for devices.
var disabledPlugins = []string{
	"io.containerd.cri.v1.images",
	"io.containerd.cri.v1.runtime",
	"io.containerd.grpc.v1.cri",
	"io.containerd.podsandbox.controller.v1.podsandbox",
	"io.containerd.nri.v1.nri",
	"io.containerd.internal.v1.opt",
	"io.containerd.internal.v1.restart",
	"io.containerd.internal.v1.tracing",
	"io.containerd.tracing.processor.v1.otlp",
	"io.containerd.image-verifier.v1.bindir",
	"io.containerd.snapshotter.v1.blockfile",
	"io.containerd.snapshotter.v1.btrfs",
	"io.containerd.snapshotter.v1.devmapper",
	"io.containerd.snapshotter.v1.erofs",
	"io.containerd.snapshotter.v1.zfs",
	"io.containerd.mount-handler.v1.erofs",
	"io.containerd.differ.v1.erofs",
}

// criPlugins are those of disabledPlugins that Options.CRI brings back.
var criPlugins = []string{
	"io.containerd.cri.v1.images",
	"io.containerd.cri.v1.runtime",
	"io.containerd.grpc.v1.cri",
	"io.containerd.podsandbox.controller.v1.podsandbox",
}

// writeConfigs writes containerd's configuration and the runtime's.
func (d *Daemon) writeConfigs(opts Options) error {
	disabled, cri := disabledPlugins, ""
	if opts.CRI {
		disabled = slices.DeleteFunc(slices.Clone(disabled), func(name string) bool { return slices.Contains(criPlugins, name) })
		var err error
		if cri, err = d.criConfig(); err != nil {
			return err
		}
	}
	containerd := fmt.Sprintf(`version = 2
root = %q
state = %q
temp = %q
disabled_plugins = ["%s"]

[grpc]
  address = %q
[ttrpc]
  address = %q
[debug]
  level = "info"

[plugins."io.containerd.shim.v1.manager"]
  socket_dir = %q
[plugins."io.containerd.monitor.task.v1.cgroups"]
  no_prometheus = true
`,
		d.path("root"), d.path("state"), d.path("tmp"),
		strings.Join(disabled, `", "`),
		d.Address, d.Address+".ttrpc", d.path("s")) + cri
	if err := os.WriteFile(d.path("containerd.toml"), []byte(containerd), 0o600); err != nil {
		return err
	}
	return os.WriteFile(d.ConfigFile(), []byte(d.runtimeConfig(opts)), 0o600)
}

// runtimeConfig is the configuration of this project's runtime.
func (d *Daemon) runtimeConfig(opts Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "state_dir = %q\nrunc = %q\nrunc_roots = [%q]\n%s\n", d.StateDir(), d.Programs.Runc, d.RuncRoot(), opts.Config)
	if opts.IDs != (IDs{}) {
		fmt.Fprintf(&b, "[ids]\nbase = %d\nsize = %d\nend = %d\n", opts.IDs.Base, opts.IDs.Size, opts.IDs.End)
	}
	if !strings.Contains(opts.Config, "audit") {
		fmt.Fprintf(&b, "[audit]\nfile = %q\n", d.AuditFile())
	}
	return b.String()
}

func (d *Daemon) path(name string) string { return filepath.Join(d.Dir, name) }

// StateDir is the runtime's state directory, where its claims on ID ranges are.
func (d *Daemon) StateDir() string { return d.path("eci") }

// ConfigFile is the runtime's configuration; a shim reads it at each start.
func (d *Daemon) ConfigFile() string { return d.path("config.toml") }

// AuditFile is the runtime's log of decisions.
func (d *Daemon) AuditFile() string { return d.path("audit.log") }

// RuncRoot is where runc keeps the state of the bed's containers.
func (d *Daemon) RuncRoot() string { return d.path("runc") }

// Bundle is the directory in which containerd lays out the container id.
func (d *Daemon) Bundle(id string) string {
	return filepath.Join(d.path("state"), "io.containerd.runtime.v2.task", d.Namespace, id)
}

// env is the environment of containerd, which its shims inherit.
func (d *Daemon) env(extra []string) []string {
	env := []string{
		"PATH=" + d.Programs.Dir + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"ECI_CONFIG=" + d.ConfigFile(),
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PATH=") && !strings.HasPrefix(kv, "ECI_CONFIG=") {
			env = append(env, kv)
		}
	}
	return append(env, extra...)
}
