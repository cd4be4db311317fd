package image

import (
	"context"
	"fmt"

	"github.com/eci-runtime/eci/policy"
)

// Query is a container whose root file system is asked about, as its create request
// describes it.
type Query struct {
	// Address is the path of the gRPC socket of the containerd that runs it.
	Address string `json:"address"`

	// Namespace is containerd's.
	Namespace string `json:"namespace"`

	// Container is its ID.
	Container string `json:"container"`

	// Root is root.path of the spec, absolute.
	Root string `json:"root"`

	// Rootfs are the mounts of the create request. Empty: what is at Root is mounted
	// already.
	Rootfs []Mount `json:"rootfs,omitempty"`

	// DockerRoots are the data directories of dockerd on this host, absolute.
	DockerRoots []string `json:"dockerRoots,omitempty"`
}

// Mount is a mount as containerd describes it.
type Mount struct {
	// Type is the file system's, or "bind".
	Type string `json:"type"`

	// Source and Target are as for mount(2); Target is relative to the root file
	// system.
	Source string `json:"source"`
	Target string `json:"target,omitempty"`

	// Options are those of mount(8).
	Options []string `json:"options,omitempty"`
}

// Record is what containerd has written down about a container.
type Record struct {
	// Image is the name that the client gave; it proves nothing.
	Image string

	// Snapshotter and Snapshot name the container's own snapshot. dockerd leaves
	// them empty.
	Snapshotter, Snapshot string
}

// Store is what a containerd knows in one of its namespaces.
type Store interface {
	// Container is the record of a container.
	Container(ctx context.Context, id string) (Record, error)

	// Parent is the name of the snapshot that another one was made on; "" for the
	// lowest.
	Parent(ctx context.Context, snapshotter, snapshot string) (string, error)

	// Mounts are those that show a snapshot.
	Mounts(ctx context.Context, snapshotter, snapshot string) ([]Mount, error)
}

// Identify finds out what the container was made from. It has to run in the mount
// namespace of the engine.
func Identify(ctx context.Context, q Query, store Store) policy.Image {
	record, err := store.Container(ctx, q.Container)
	if err != nil {
		return policy.Image{Why: fmt.Sprintf("containerd does not tell about the container: %v", err)}
	}
	image := policy.Image{Name: record.Image}
	var chain []string
	if layer, ok := dockerLayer(q); ok {
		if image.Name == "" {
			image.Name = layer.imageName()
		}
		chain, err = layer.chain()
	} else {
		chain, err = snapshotChain(ctx, q, store, record)
	}
	switch {
	case err != nil:
		image.Why = err.Error()
	case len(chain) == 0:
		image.Why = "it was made from no image"
	default:
		image.Chain = chain
	}
	return image
}
