package shim

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// devNodes sorts the devices of a container into those of /dev and others.
func devNodes(devices []policy.Device) (nodes []idmap.Node, others []policy.Device) {
	for _, d := range devices {
		name, below := strings.CutPrefix(d.Path, "/dev/")
		if !below {
			others = append(others, d)
			continue
		}
		nodes = append(nodes, idmap.Node{
			Path: name, Mode: fileMode(d), Major: uint32(d.Major), Minor: uint32(d.Minor), UID: d.UID, GID: d.GID,
		})
	}
	return nodes, others
}

func fileMode(d policy.Device) uint32 {
	if d.Type == "b" {
		return unix.S_IFBLK | d.Mode
	}
	return unix.S_IFCHR | d.Mode
}

// mountNode makes a device node and mounts it at a path inside the rootfs.
func (b *builder) mountNode(name string, d policy.Device, target string) error {
	source, err := b.makeNode(name, d)
	if err != nil {
		return err
	}
	defer source.Close()
	return b.cloneHere(source, idmap.VolumeAttr{Unmapped: true}, func(tree *os.File, _ bool) error {
		return b.attach(tree, target, false)
	})
}

// makeNode makes a device node beside the rootfs, with the owner that it has in
// the container.
func (b *builder) makeNode(name string, d policy.Device) (*idmap.Source, error) {
	path := filepath.Join(b.stageDir, "nodes", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return nil, err
	}
	uid, err := b.ids.HostID(d.UID)
	if err != nil {
		return nil, err
	}
	gid, err := b.ids.HostID(d.GID)
	if err != nil {
		return nil, err
	}
	if err := linux.Mknod(nil, path, fileMode(d), unix.Mkdev(uint32(d.Major), uint32(d.Minor))); err != nil {
		return nil, err
	}
	if err := linux.Chown(nil, path, uid, gid); err != nil {
		return nil, err
	}
	return idmap.OpenSource(nil, path)
}

// cloneHere clones a source of the shim's own namespace and has put mount it.
func (b *builder) cloneHere(source *idmap.Source, attr idmap.VolumeAttr, put func(tree *os.File, dir bool) error) error {
	tree, err := linux.OpenTree(source.File, "", false)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := linux.SetAttr(tree, linux.Attr{Set: attr.Set, Clear: attr.Clear, Propagation: unix.MS_PRIVATE}); err != nil {
		return err
	}
	return put(tree, false)
}
