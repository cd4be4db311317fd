package shim

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/log"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// exposeState mounts the directories in which engines keep their state, where the client has
// not mounted anything: they are those of the writable layer, without overlayfs in between.
// A container whose disk is full starts without, so that somebody can clear it.
func (b *builder) exposeState(targets []string) error {
	if len(b.decision.State) == 0 || !b.Writable() {
		return nil
	}
	for _, dir := range b.stateDirs() {
		if !policy.Exposes(dir, dir, b.spec.Mounts, targets) {
			continue
		}
		err := b.expose(dir, targets)
		if isShort(err) || errors.Is(err, idmap.ErrMountPoint) {
			log.G(b.ctx).WithError(err).WithField("id", filepath.Base(b.bundle)).Warn("the state of engines stays on overlayfs")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) expose(dir string, targets []string) error {
	at, resolved, err := b.MountPoint(b.root, dir, true)
	if err != nil {
		return err
	}
	defer at.Close()
	if !policy.Exposes(dir, resolved, b.spec.Mounts, targets) {
		return nil
	}
	exposed, err := b.Expose(b.ctx, b.root, at, resolved)
	if exposed {
		b.state = append(b.state, filepath.Join(b.grant.Root, resolved))
	}
	return err
}

// isShort tells whether there is no room for what was to be written. On a disk that is full
// overlayfs cannot make its work directory, and is read-only.
func isShort(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EROFS)
}

// stateDirs are the directories that were decided about, and the one that Docker's
// configuration in the image names.
func (b *builder) stateDirs() []string {
	dirs := b.decision.State
	if !slices.Contains(dirs, policy.DockerRoot) {
		return dirs
	}
	if dir := dataRoot(b.root); dir != "" && !slices.Contains(dirs, dir) {
		dirs = append(slices.Clip(dirs), dir)
	}
	return dirs
}

// dataRoot is the key data-root of Docker's configuration in an image; "" if there is none
// that can be read. The image says what it likes: the policy judges it.
func dataRoot(root *os.File) string {
	at, err := linux.OpenInRoot(root, "/etc/docker/daemon.json", unix.O_PATH)
	if err != nil {
		return ""
	}
	defer at.Close()
	if st, err := linux.StatFile(at); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "" // opening a device does something
	}
	f, err := linux.Reopen(at, unix.O_RDONLY)
	if err != nil {
		return ""
	}
	defer f.Close()
	var config struct {
		DataRoot string `json:"data-root"`
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil || json.Unmarshal(text, &config) != nil {
		return ""
	}
	return config.DataRoot
}
