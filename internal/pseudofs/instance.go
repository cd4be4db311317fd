package pseudofs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// An InstanceOption changes what [FS.NewInstance] puts into an instance.
type InstanceOption func(*instance)

// WithoutServed leaves out the directories that are served whole: for clones in which an
// inner engine opens nodes that may not lie on another mount (RESOLVE_NO_XDEV).
func WithoutServed(i *instance) { i.withServed = false }

// instance is a tree that is being built.
type instance struct {
	fs         *FS
	kind       Kind
	withServed bool
	attached   bool // as kernels before 6.15 need it
	root       *os.File
}

// NewInstance takes a detached mount of a new proc or sysfs, and gives a detached tree of it
// in which masked and read-only paths and the pseudo-files are in place. The mount stays the
// caller's to close, and is not to be used otherwise any more.
func (f *FS) NewInstance(mount *os.File, kind Kind, opts ...InstanceOption) (tree *os.File, err error) {
	in := &instance{fs: f, kind: kind, withServed: true, root: mount}
	for _, o := range opts {
		o(in)
	}
	err = linux.OnThread(func() error {
		tree, err = in.make()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("build a new %s: %w", kinds[kind].root, err)
	}
	return tree, nil
}

// make builds the tree. Linux can mount on a detached mount from 6.15 on, as it can clone
// one. Before, the mount is attached for it, in a mount namespace in which nobody but this
// thread ever is, on the root of the pseudo-files themselves; and the tree is a clone.
func (in *instance) make() (*os.File, error) {
	dir, err := linux.OpenPath(in.fs.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { dir.Close() }()
	if !in.attached {
		switch probe, err := linux.OpenTree(in.root, "", false); {
		case err == nil:
			probe.Close()
			if err := in.build(dir); err != nil {
				return nil, err
			}
			return linux.Duplicate(in.root)
		case !errors.Is(err, unix.EINVAL):
			return nil, err
		}
	}
	if err := linux.NewMountNS(); err != nil {
		return nil, err
	}
	dir.Close()
	if dir, err = linux.OpenPath(in.fs.Dir); err != nil {
		return nil, err
	}
	if err := linux.MoveMount(in.root, dir); err != nil {
		return nil, err
	}
	if err := in.build(dir); err != nil {
		return nil, err
	}
	return linux.OpenTree(in.root, "", true)
}

// build mounts what belongs on the instance; dir is the root of the pseudo-files.
func (in *instance) build(dir *os.File) error {
	for _, p := range in.below(in.fs.ReadOnly) {
		if err := in.readOnly(p); err != nil {
			return fmt.Errorf("make %s read-only: %w", p, err)
		}
	}
	for _, p := range in.below(in.fs.Masked) {
		if err := in.mask(dir, p); err != nil {
			return fmt.Errorf("mask %s: %w", p, err)
		}
	}
	places, err := in.fs.places(in.root, in.kind, in.withServed)
	defer places.close()
	if err != nil {
		return err
	}
	if err := in.fs.clone(dir, places.all); err != nil {
		return err
	}
	return attach(places.all)
}

// below are those of a container's paths that are below /proc, or /sys, relative to it.
func (in *instance) below(paths []string) []string {
	var out []string
	for _, p := range paths {
		if rel, ok := strings.CutPrefix(path.Clean(p), "/"+kinds[in.kind].root+"/"); ok {
			out = append(out, rel)
		}
	}
	return out
}

// open opens a path of the instance as runc does for these: what is not there is nil.
func (in *instance) open(path string) (*os.File, error) {
	at, err := linux.OpenHow(in.root, path, unix.O_PATH, beneath)
	if isMissing(err) {
		return nil, nil
	}
	return at, err
}

func (in *instance) readOnly(path string) error {
	at, err := in.open(path)
	if at == nil {
		return err
	}
	defer at.Close()
	tree, err := linux.OpenTree(at, "", true)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := linux.SetAttr(tree, linux.Attr{Set: unix.MOUNT_ATTR_RDONLY, Recursive: true}); err != nil {
		return err
	}
	return linux.MoveMount(tree, at)
}

// mask mounts an empty read-only file or directory of the pseudo-files, which the agent
// does not let anybody unmount.
func (in *instance) mask(dir *os.File, path string) error {
	at, err := in.open(path)
	if at == nil {
		return err
	}
	defer at.Close()
	st, err := linux.StatFile(at)
	if err != nil {
		return err
	}
	name := maskFile
	if st.IsDir() {
		name = maskDir
	}
	tree, err := linux.OpenTree(dir, name, false)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := linux.SetAttr(tree, linux.Attr{Set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return err
	}
	return linux.MoveMount(tree, at)
}
