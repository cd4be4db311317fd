package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/kube"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/setup"
)

// readyLabel is on the nodes of Kubernetes that run the runtime's pods.
const readyLabel = "eci.containerd.io/ready"

// nodeFlags are those of eci node.
type nodeFlags struct {
	root, dir, node, account string
	pid                      int
	args                     []string
}

func newNodeCommand(a *app) *cobra.Command {
	node := &cobra.Command{
		Use:   "node",
		Short: "install the runtime on the node that this pod runs on",
	}
	var f nodeFlags
	flags := node.PersistentFlags()
	flags.StringVar(&f.root, "host-root", "/host", "where the host's root directory is mounted")
	flags.IntVar(&f.pid, "host-pid", 1, "a process in the host's mount namespace")
	flags.StringVar(&f.dir, "dir", "/opt/eci/bin", "directory of the host for the programs")
	flags.StringVar(&f.node, "node", os.Getenv("NODE_NAME"), "name of the node ($NODE_NAME)")
	flags.StringVar(&f.account, "account", kube.Account, "directory with the account's token and the cluster's certificate")
	node.AddCommand(&cobra.Command{
		Use:   "install [-- FLAG...]",
		Short: "copy the programs to the host, install them there, and label the node",
		Long: `install is what the DaemonSet of deploy/kubernetes runs. It copies eci and the runtime to
the host, each by one rename, so that containers go on with the old one, calls eci install
there, in the mount namespace of the host's first process, and gives the node the label
` + readyLabel + `, by which the RuntimeClass finds it. What stands behind -- is
handed to eci install.

The pod needs hostPID and privileges. If anything fails, the node has no label.`,
		Example: `  eci node install --host-root /host
  eci node install -- --containerd-config /var/lib/rancher/config.toml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.args = args
			return a.nodeInstall(cmd.Context(), f)
		},
	}, &cobra.Command{
		Use:   "uninstall [-- FLAG...]",
		Short: "take the label from the node, and the runtime from the host",
		Long: `uninstall takes away the node's label, so that no further pod comes, calls eci uninstall
on the host, and removes the programs. What stands behind -- is handed to eci uninstall.
Pods of the runtime that still run go on to their end.`,
		Example: `  eci node uninstall --host-root /host`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.args = args
			return a.nodeUninstall(cmd.Context(), f)
		},
	})
	return node
}

// programs are those that are copied to a node.
var programs = []string{shimName, "eci"}

func (a *app) nodeInstall(ctx context.Context, f nodeFlags) error {
	cluster, err := f.cluster()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range programs {
		if err := copyProgram(filepath.Join(filepath.Dir(self), name), filepath.Join(f.root, f.dir, name)); err != nil {
			return err
		}
	}
	if err := a.onHost(ctx, f, "install", "--yes", "--engine", "containerd"); err != nil {
		_ = cluster.Label(ctx, f.node, readyLabel, nil)
		return err
	}
	ready := "true"
	return cluster.Label(ctx, f.node, readyLabel, &ready)
}

func (a *app) nodeUninstall(ctx context.Context, f nodeFlags) error {
	cluster, err := f.cluster()
	if err != nil {
		return err
	}
	if err := cluster.Label(ctx, f.node, readyLabel, nil); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(f.root, f.dir, "eci")); errors.Is(err, os.ErrNotExist) {
		return nil // done before
	}
	if err := a.onHost(ctx, f, "uninstall", "--yes"); err != nil {
		return err
	}
	for _, name := range programs {
		if err := os.Remove(filepath.Join(f.root, f.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	// The directories, if nothing else is in them.
	_ = os.Remove(filepath.Join(f.root, f.dir))
	_ = os.Remove(filepath.Dir(filepath.Join(f.root, f.dir)))
	return nil
}

func (f nodeFlags) cluster() (*kube.Cluster, error) {
	if f.node == "" {
		return nil, errors.New("which node is it? name it with --node")
	}
	return kube.InPod(f.account)
}

// copyProgram makes a program a copy of another one, by one rename.
func copyProgram(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return setup.ReplaceProgram(to, data)
}

// onHost runs the copied eci in the mount namespace of the host's first process.
func (a *app) onHost(ctx context.Context, f nodeFlags, args ...string) error {
	ns, err := linux.OpenNS(f.pid, "mnt")
	if err != nil {
		return err
	}
	defer ns.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(f.dir, "eci"), append(args, f.args...)...)
	cmd.Stdout, cmd.Stderr = a.out, a.err
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	err = linux.OnThread(func() error {
		if err := linux.EnterMountNS(ns); err != nil {
			return err
		}
		return cmd.Run() // it is born in the namespaces of this thread
	})
	if err != nil {
		return fmt.Errorf("eci %s on the host: %w", strings.Join(args, " "), err)
	}
	return nil
}
