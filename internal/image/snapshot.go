package image

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
)

// maxLayers bounds a chain. Overlayfs takes 500 layers, OVL_MAX_STACK in
// fs/overlayfs/params.h of Linux.
const maxLayers = 500

// snapshotChain gives the committed snapshots under the container's own one, and
// proves that the root file system is that.
func snapshotChain(ctx context.Context, q Query, store Store, record Record) ([]string, error) {
	key := cmp.Or(record.Snapshot, q.Container)
	snapshotter := record.Snapshotter
	if snapshotter == "" {
		// dockerd, which mounts at <root>/rootfs/<snapshotter>/<container>. A name
		// that is a lie shows when the mounts are compared.
		snapshotter = filepath.Base(filepath.Dir(q.Root))
	}
	parent, err := store.Parent(ctx, snapshotter, key)
	if err != nil {
		return nil, fmt.Errorf("containerd has no snapshot of it: %w", err)
	}
	mounts, err := store.Mounts(ctx, snapshotter, key)
	if err != nil {
		return nil, fmt.Errorf("containerd does not show its snapshot: %w", err)
	}
	if err := isRootfs(q, mounts); err != nil {
		return nil, err
	}
	var chain []string
	for parent != "" {
		if len(chain) == maxLayers {
			return nil, fmt.Errorf("its snapshot has more than %d layers", maxLayers)
		}
		chain = append(chain, parent)
		if parent, err = store.Parent(ctx, snapshotter, parent); err != nil {
			return nil, fmt.Errorf("containerd does not tell about a layer: %w", err)
		}
	}
	return chain, nil
}
