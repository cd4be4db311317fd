package testbed

import (
	"context"
	"fmt"
	"io"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Container says what to run. The zero value runs `true` from the busybox image
// under this project's runtime.
type Container struct {
	ID      string   // unique in the bed; "" makes one up
	Runtime string   // "eci" (also ""), "runc", or containerd's name of a runtime
	Args    []string // nil runs true

	Image       string // name of an imported image; "" is BusyboxName
	Snapshotter string // "" is overlayfs
	View        bool   // a snapshot without a writable layer
	Rootfs      string // a directory to use instead of an image

	User       string   // as in `ctr run --user`: name or uid[:gid]
	Env        []string // added to the image's
	Mounts     []specs.Mount
	CapAdd     []string // with CAP_ in front
	CapDrop    []string
	Privileged bool // like `ctr run --privileged`: with the host's devices
	ReadOnly   bool // root file system
	Terminal   bool
	Stdin      io.Reader // nil gives an empty one

	// Spec edits the finished OCI spec, for shapes that the fields above lack.
	Spec func(*specs.Spec)
	// Options replaces the runtime options that the bed gives (runc's state
	// directory). NoOptions sends none at all.
	Options   any
	NoOptions bool
}

// Bind is a volume: the host's path source at target in the container. Options
// are added to rbind.
func Bind(source, target string, options ...string) specs.Mount {
	return specs.Mount{Type: "bind", Source: source, Destination: target, Options: append([]string{"rbind"}, options...)}
}

// Define makes containerd's record of a container, with its snapshot and spec,
// and starts nothing.
func (d *Daemon) Define(ctx context.Context, c Container) (client.Container, error) {
	ctx = d.Context(ctx)
	if c.ID == "" {
		c.ID = d.UniqueID("c")
	}
	opts, specOpts, err := d.source(ctx, c)
	if err != nil {
		return nil, err
	}
	specOpts = append(specOpts, d.specOptions(c)...)
	opts = append(opts, client.WithNewSpec(specOpts...), client.WithRuntime(runtimeName(c.Runtime), d.runtimeOptions(c)))
	made, err := d.client.NewContainer(ctx, c.ID, opts...)
	if err != nil && c.Rootfs == "" {
		_ = d.client.SnapshotService(c.Snapshotter).Remove(ctx, c.ID)
	}
	return made, err
}

func (d *Daemon) runtimeOptions(c Container) any {
	switch {
	case c.NoOptions:
		return nil
	case c.Options != nil:
		return c.Options
	}
	return &options.Options{Root: d.RuncRoot()}
}

// source returns what gives the container its root file system.
func (d *Daemon) source(ctx context.Context, c Container) ([]client.NewContainerOpts, []oci.SpecOpts, error) {
	if c.Rootfs != "" {
		return nil, []oci.SpecOpts{oci.WithRootFSPath(c.Rootfs)}, nil
	}
	name := c.Image
	if name == "" {
		name = BusyboxName
	}
	image, err := d.client.GetImage(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if err := unpack(ctx, image, c.Snapshotter); err != nil {
		return nil, nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	snapshot := client.WithNewSnapshot
	if c.View {
		snapshot = client.WithNewSnapshotView
	}
	opts := []client.NewContainerOpts{client.WithImage(image), client.WithSnapshotter(c.Snapshotter), snapshot(c.ID, image)}
	return opts, []oci.SpecOpts{oci.WithImageConfig(image)}, nil
}

// specOptions follow the order of `ctr run`.
func (d *Daemon) specOptions(c Container) []oci.SpecOpts {
	args := c.Args
	if args == nil {
		args = []string{"true"}
	}
	opts := []oci.SpecOpts{
		oci.WithDefaultUnixDevices,
		oci.WithEnv(append([]string{"PATH=/bin:/sbin:/usr/bin"}, c.Env...)),
		oci.WithMounts(c.Mounts),
		oci.WithProcessArgs(args...),
		oci.WithCgroup(d.Cgroup() + "/" + c.ID),
		oci.WithAddedCapabilities(c.CapAdd),
		oci.WithDroppedCapabilities(c.CapDrop),
	}
	if c.User != "" {
		opts = append(opts, oci.WithUser(c.User), oci.WithAdditionalGIDs(c.User))
	}
	if c.ReadOnly {
		opts = append(opts, oci.WithRootFSReadonly())
	}
	if c.Terminal {
		opts = append(opts, oci.WithTTY)
	}
	if c.Privileged {
		opts = append(opts, oci.WithPrivileged, oci.WithAllDevicesAllowed, oci.WithHostDevices)
	}
	if c.Spec != nil {
		opts = append(opts, func(_ context.Context, _ oci.Client, _ *containers.Container, s *specs.Spec) error {
			c.Spec(s)
			return nil
		})
	}
	return opts
}

// stdio connects a process to buffers in this process, by FIFOs inside the bed.
func (d *Daemon) stdio(stdin io.Reader, out *Output, terminal bool) cio.Creator {
	opts := []cio.Opt{cio.WithStreams(stdin, &out.stdout, &out.stderr), cio.WithFIFODir(d.path("fifo"))}
	if terminal {
		opts = []cio.Opt{cio.WithStreams(stdin, &out.stdout, nil), cio.WithFIFODir(d.path("fifo")), cio.WithTerminal}
	}
	return cio.NewCreator(opts...)
}
