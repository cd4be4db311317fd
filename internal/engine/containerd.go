package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/image-spec/identity"

	"github.com/eci-runtime/eci/internal/image"
	"github.com/eci-runtime/eci/policy"
)

// Containerd is a containerd, seen through one of its namespaces. It is an
// [image.Store].
type Containerd struct {
	api       *client.Client
	namespace string
}

// DialContainerd connects to the containerd that listens at a path.
func DialContainerd(address, namespace string) (*Containerd, error) {
	api, err := client.New(strings.TrimPrefix(address, "unix://"))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd: %w", err)
	}
	return &Containerd{api: api, namespace: namespace}, nil
}

// Close ends the connection.
func (c *Containerd) Close() error { return c.api.Close() }

func (c *Containerd) in(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, c.namespace)
}

// Container is the record of a container.
func (c *Containerd) Container(ctx context.Context, id string) (image.Record, error) {
	r, err := c.api.ContainerService().Get(c.in(ctx), id)
	if err != nil {
		return image.Record{}, err
	}
	return image.Record{Image: r.Image, Snapshotter: r.Snapshotter, Snapshot: r.SnapshotKey}, nil
}

// Parent is the name of the snapshot that another one was made on; "" for the
// lowest.
func (c *Containerd) Parent(ctx context.Context, snapshotter, snapshot string) (string, error) {
	info, err := c.api.SnapshotService(snapshotter).Stat(c.in(ctx), snapshot)
	return info.Parent, err
}

// Mounts are those that show a snapshot.
func (c *Containerd) Mounts(ctx context.Context, snapshotter, snapshot string) ([]image.Mount, error) {
	mounts, err := c.api.SnapshotService(snapshotter).Mounts(c.in(ctx), snapshot)
	if err != nil {
		return nil, err
	}
	out := make([]image.Mount, len(mounts))
	for i, m := range mounts {
		out[i] = image.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options}
	}
	return out, nil
}

// Resolve gives the content that a name leads to at this moment, for the platform of
// this host. The error is [ErrNoImage] where the namespace has no such name.
func (c *Containerd) Resolve(ctx context.Context, name string) (policy.Pin, error) {
	found, err := c.api.GetImage(c.in(ctx), name)
	if errdefs.IsNotFound(err) {
		return policy.Pin{}, ErrNoImage
	}
	if err != nil {
		return policy.Pin{}, fmt.Errorf("ask containerd for %s: %w", name, err)
	}
	layers, err := found.RootFS(c.in(ctx))
	if err != nil {
		return policy.Pin{}, fmt.Errorf("read the layers of %s: %w", name, err)
	}
	return newPin(name, found.Target().Digest.String(), identity.ChainID(layers).String())
}
