package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/containerd/containerd/api/types"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// stage builds the container's tree in the shim's mount namespace: the rootfs on
// ID-mapped layers, /dev, and in the order of the spec everything that must be
// there, with its final flags, before runc copies the namespace.
func (c *container) stage(ctx context.Context, spec *specs.Spec, d policy.Decision, opened *host.Opened, rootfs []*types.Mount) (places []policy.Placement, _ policy.Grant, _ error) {
	userns, err := idmap.NewUserNamespace(c.ids)
	if err != nil {
		return nil, policy.Grant{}, err
	}
	defer userns.Close()
	b := builder{
		ctx: ctx, container: c, spec: spec, decision: d, opened: opened,
		grant: policy.Grant{
			Base: c.ids.Base, Size: c.ids.Size,
			UserNS: c.namespaces.UserNS(d.UserNS), Namespaces: c.joins(d),
			Root:    filepath.Join(c.stageDir, "rootfs"),
			Volumes: make(map[int]string),
		},
	}
	err = idmap.RunStage(idmap.StageConfig{Range: c.ids, UserNS: userns, HostNS: c.host.NS()}, func(s *idmap.Stage) error {
		b.Stage = s
		return b.build(rootfs)
	})
	b.close()
	return b.places, b.grant, err
}

// builder builds one tree, on the stage's thread.
type builder struct {
	*idmap.Stage
	*container
	ctx      context.Context // of the request: who gives up wants nothing more copied
	spec     *specs.Spec
	decision policy.Decision
	opened   *host.Opened

	root     *os.File                 // of the rootfs
	dev      *os.File                 // of the mount at /dev
	sockets  map[policy.FileID]string // of brokers, by the engine's
	readOnly []*os.File               // mounts that become read-only at the end
	places   []policy.Placement
	grant    policy.Grant
}

func (b *builder) close() {
	for _, mount := range []*os.File{b.root, b.dev} {
		if mount != nil {
			mount.Close()
		}
	}
	for _, mount := range b.readOnly {
		mount.Close()
	}
}

func (b *builder) build(rootfs []*types.Mount) error {
	for _, dir := range []string{b.stageDir, b.grant.Root} {
		if err := os.Mkdir(dir, 0o711); err != nil {
			return fmt.Errorf("stage: %w", err)
		}
	}
	if err := b.mountRootfs(rootfs); err != nil {
		return err
	}
	if err := b.mountDev(); err != nil {
		return err
	}
	if err := b.mountSystemd(); err != nil {
		return fmt.Errorf("systemd: %w", err)
	}
	targets := b.targets()
	b.places = policy.Place(b.decision, b.spec.Mounts, targets)
	if err := b.exposeState(targets); err != nil {
		return err
	}
	for i, place := range b.places {
		if err := b.mount(i, place); err != nil {
			return fmt.Errorf("mounts[%d] %s: %w", i, b.spec.Mounts[i].Destination, err)
		}
	}
	if b.spec.Root.Readonly {
		if err := b.prepareReadOnly(); err != nil {
			return err
		}
		b.readOnly = append(b.readOnly, b.root)
	}
	for _, mount := range b.readOnly {
		if err := linux.SetAttr(mount, linux.Attr{Set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return err
		}
	}
	if err := b.noteOwn(); err != nil {
		return err
	}
	return b.keepDev()
}

// noteOwn notes which file systems belong to the container alone: an overlay, and /dev. A
// rootfs that is a plain directory lies on one of the host's.
func (b *builder) noteOwn() error {
	magic, err := linux.FSMagic(b.root)
	if err != nil {
		return err
	}
	mounts := []*os.File{b.dev}
	if magic == unix.OVERLAYFS_SUPER_MAGIC {
		mounts = append(mounts, b.root)
	}
	for _, mount := range mounts {
		st, err := linux.StatFile(mount)
		if err != nil {
			return err
		}
		b.ownFS = append(b.ownFS, st.Dev)
	}
	return nil
}

// mountRootfs mounts what the request names, or else the directory of the spec.
func (b *builder) mountRootfs(rootfs []*types.Mount) (err error) {
	for _, m := range rootfs {
		if m.Target != "" {
			return fmt.Errorf("rootfs: a mount at %q inside the rootfs is not supported", m.Target)
		}
	}
	mounts := rootMounts(rootfs)
	if len(mounts) == 0 {
		mounts = append(mounts, host.DirRoot(b.spec.Root.Path, b.bundle))
	}
	b.root, _, err = b.Rootfs(idmap.Rootfs{
		Mounts: mounts, Target: b.grant.Root, Adopt: b.decision.Mapping != nil, Judged: b.opened.Layers,
	})
	if err != nil {
		return fmt.Errorf("rootfs: %w", err)
	}
	b.mounts = append(b.mounts, b.grant.Root)
	return b.opened.Verify(b.opened.Layers[mounts[0].Source], b.root)
}

// mountDev stages the container's own /dev.
func (b *builder) mountDev() error {
	nodes, others := devNodes(b.decision.Devices)
	tree, err := b.Dev(nodes, 0)
	if err != nil {
		return err
	}
	b.dev = tree
	if err := b.attach(tree, "/dev", true); err != nil {
		return err
	}
	for i, device := range others {
		if err := b.mountNode("device"+strconv.Itoa(i), device, device.Path); err != nil {
			return fmt.Errorf("linux.devices %s: %w", device.Path, err)
		}
	}
	return nil
}

// keepDev mounts the finished /dev beside the rootfs as well, with all that was
// mounted on it: runc binds it from there. The path of the first one leads through
// the rootfs, where somebody who shares it may put a link in the way.
func (b *builder) keepDev() error {
	tree, err := linux.OpenTree(b.dev, "", true)
	if err != nil {
		return err
	}
	defer tree.Close()
	b.grant.Dev = filepath.Join(b.stageDir, "dev")
	return b.keep(b.grant.Dev, tree, true)
}

// mount does what the placement of mount i asks for.
func (b *builder) mount(i int, place policy.Placement) error {
	m := b.spec.Mounts[i]
	switch {
	case place == policy.Staged && policy.IsBind(m):
		return b.mountVolume(i, m, func(tree *os.File, dir bool) error {
			return b.attach(tree, m.Destination, dir)
		})
	case place == policy.Cloned && b.decision.Makes(m):
		return b.mountForeign(m, func(tree *os.File) error {
			b.grant.Volumes[i] = filepath.Join(b.stageDir, "volumes", strconv.Itoa(i))
			return b.keep(b.grant.Volumes[i], tree, true)
		})
	case place == policy.Cloned:
		return b.mountVolume(i, m, func(tree *os.File, dir bool) error {
			b.grant.Volumes[i] = filepath.Join(b.stageDir, "volumes", strconv.Itoa(i))
			return b.keep(b.grant.Volumes[i], tree, dir)
		})
	case place == policy.Staged && b.decision.Makes(m):
		return b.mountForeign(m, func(tree *os.File) error { return b.attach(tree, m.Destination, true) })
	case place == policy.Staged:
		return b.mountTmpfs(m)
	}
	return nil
}

// mountTmpfs stages a tmpfs that a volume lies below. It can only become
// read-only when everything is there.
func (b *builder) mountTmpfs(m specs.Mount) error {
	writable := slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "ro" || o == "rro" })
	tree, err := b.Tmpfs(writable)
	if err != nil {
		return err
	}
	if policy.ReadOnly(m) {
		b.readOnly = append(b.readOnly, tree)
	} else {
		defer tree.Close()
	}
	return b.attach(tree, m.Destination, true)
}

// mountVolume clones the source of bind mount i, or makes the device node that
// takes its place, and has put mount it.
func (b *builder) mountVolume(i int, m specs.Mount, put func(tree *os.File, dir bool) error) error {
	source, attr := b.opened.Sources[i], volumeAttr(m, b.decision.Private[i])
	if node, ok := b.decision.Nodes[i]; ok {
		var err error
		if source, err = b.makeNode("mount"+strconv.Itoa(i), node); err != nil {
			return err
		}
		defer source.Close()
		attr.Unmapped, attr.Set = true, attr.Set&^unix.MOUNT_ATTR_NODEV
		return b.cloneHere(source, attr, put)
	}
	socket, isSocket := b.decision.Sockets[i]
	if socket.Broker {
		return b.mountSocket(i, m, b.cfg.Sockets.Commands, put)
	}
	tree, err := b.Volume(source, attr)
	if isSocket && errors.Is(err, idmap.ErrNotMappable) {
		return b.mountSocket(i, m, policy.Commands{}, put) // root there would be nobody
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := put(tree, source.Stat.IsDir()); err != nil {
		return err
	}
	if err := b.opened.Verify(source, tree); err != nil {
		return err
	}
	if err := absent(tree, b.decision.Absent[i]); err != nil {
		return err
	}
	return b.mask(tree, b.decision.Masks[i])
}

// attach mounts a tree at a path inside the rootfs.
func (b *builder) attach(tree *os.File, target string, dir bool) error {
	at, resolved, err := b.MountPoint(b.root, target, dir)
	if err != nil {
		return err
	}
	defer at.Close()
	if resolved == "/" {
		return fmt.Errorf("%w: %s leads to the root of the image", idmap.ErrMountPoint, target)
	}
	return idmap.Attach(tree, at)
}

// keep mounts a tree beside the rootfs, at a path of the stage from where runc
// binds it.
func (b *builder) keep(path string, tree *os.File, dir bool) error {
	if err := makePlace(path, dir); err != nil {
		return err
	}
	if err := linux.MoveMountTo(tree, nil, path); err != nil {
		return err
	}
	b.mounts = append(b.mounts, path)
	return nil
}

// makePlace makes an empty directory or file to mount something on.
func makePlace(path string, dir bool) error {
	if dir {
		return os.MkdirAll(path, 0o711)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return err
	}
	return os.WriteFile(path, nil, 0o600)
}

// prepareReadOnly makes the places for what runc is going to mount in a rootfs
// that is to be read-only. The flag is set here and not by runc: runc copies it
// into the container's namespace, where it is locked.
func (b *builder) prepareReadOnly() error {
	for i, place := range b.places {
		if place != policy.Delegated && place != policy.Cloned {
			continue
		}
		dir := place == policy.Delegated || b.decision.Makes(b.spec.Mounts[i]) || b.opened.Sources[i].Stat.IsDir()
		if err := b.touch(b.spec.Mounts[i].Destination, dir); err != nil {
			return err
		}
	}
	return b.touch(b.spec.Process.Cwd, true)
}

func (b *builder) touch(path string, dir bool) error {
	at, _, err := b.MountPoint(b.root, path, dir)
	if err != nil {
		return err
	}
	return at.Close()
}
