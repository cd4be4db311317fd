package idmap

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"github.com/eci-runtime/eci/internal/linux"
)

// scaffold mounts an overlay whose layers must be attached to be found: a tmpfs
// on target holds the clones while mount is called with a directory in it; then
// the overlay takes its place. The tmpfs is detached with all it holds by one
// system call.
func (s *Stage) scaffold(target string, l clonedLayers, mount func(target string) error) (*os.File, error) {
	base, err := openDir(target)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	tmp, err := newTmpfs(0, "mode", "700")
	if err != nil {
		return nil, err
	}
	defer tmp.Close()
	if err := linux.MoveMount(tmp, base); err != nil {
		return nil, err
	}
	root, err := s.onScaffold(target, tmp, l, mount)
	if derr := linux.Detach(target); derr != nil && err == nil {
		err = errors.Join(derr, root.Close())
	}
	if err != nil {
		return nil, err
	}
	if err := linux.MoveMount(root, base); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// onScaffold attaches the layers in tmp, which is mounted on target, mounts, and
// clones the mount.
func (s *Stage) onScaffold(target string, tmp *os.File, l clonedLayers, mount func(target string) error) (*os.File, error) {
	for i, tree := range l.trees {
		name := strconv.Itoa(i)
		if err := linux.Mkdir(tmp, name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := linux.MoveMountTo(tree, tmp, name); err != nil {
			return nil, err
		}
	}
	if err := linux.Mkdir(tmp, "m", 0o700); err != nil {
		return nil, err
	}
	cwd := tmp
	if l.shared {
		cwd = l.trees[0]
	}
	if err := linux.ChangeDir(cwd); err != nil {
		return nil, err
	}
	if err := mount(target + "/m"); err != nil {
		return nil, err
	}
	return linux.OpenTree(tmp, "m", false)
}
