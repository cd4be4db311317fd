package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/log"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// container is what one container holds beside what runc holds for it.
type container struct {
	host      *hostView
	cfg       policy.Config // as it was when the container was created
	log       *auditor
	pool      idmap.Pool
	opts      *options.Options
	bundle    string      // owner of the claim
	stageDir  string      // where its tree is built, in the shim's mount namespace
	runcState string      // runc's directory for it
	ids       idmap.Range // zero until claimed
	mounts    []string    // what is to be unmounted, in the order of mounting
	cgroup    string      // directory made as a claim, until runc has taken it over
	brokers   []*broker   // of engines' sockets

	cgroups map[string]string // that runc has made, by controller

	ownFS        []uint64      // device numbers of the file systems that nobody else has
	pseudoMounts []specs.Mount // where it gets a proc or sysfs
	emulation    *emulation    // nil without

	state   []string  // directories of engines, in the staged rootfs
	stopped sync.Once // what is to be done when it has stopped

	divides bool // it may hold containers of its own
	systemd bool // its first process is systemd
	ownRun  bool // its /run is a tmpfs, and no volume

	namespaces *host.Namespaces // to join, until runc has; nil without a path in the spec
}

// newContainer reads a create request as far as it says how to run a container.
// It acquires nothing.
func newContainer(ctx context.Context, cfg policy.Config, host *hostView, log *auditor, r *taskapi.CreateTaskRequest) (*container, error) {
	if r.Checkpoint != "" {
		return nil, errCheckpoint
	}
	ns, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return nil, err
	}
	opts, err := runcOptions(r.Options)
	if err != nil {
		return nil, err
	}
	if opts.Root != "" {
		opts.Root = filepath.Clean(opts.Root)
	}
	if err := checkOptions(cfg, opts); err != nil {
		return nil, err
	}
	if opts.BinaryName, err = findRunc(cfg, opts); err != nil {
		return nil, err
	}
	return &container{
		host: host, cfg: cfg, log: log, pool: pool(cfg, host), opts: opts,
		bundle:    filepath.Clean(r.Bundle),
		stageDir:  filepath.Join(stageDir(cfg), r.ID),
		runcState: runcState(opts, ns, r.ID),
	}, nil
}

// pool is the pool of ID ranges that the configuration describes. Owners are looked for
// where containerd sees them.
func pool(cfg policy.Config, view *hostView) idmap.Pool {
	p := host.Pool(cfg)
	if view != nil {
		p.Exists = idmap.ExistsBelow(view.Root())
	}
	return p
}

// claim takes a range of host IDs: the lowest free one, that of the caller, or that of
// the container whose user namespace is joined, for as long as this one lives. First
// the bundle says where, so that whoever cleans up after a crash finds it.
func (c *container) claim(d policy.Decision) error {
	err := os.Symlink(filepath.Dir(c.pool.Dir), filepath.Join(c.bundle, stateLink))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	switch {
	case d.Join != nil:
		ids := idmap.Range{Base: d.Join.Mapping.HostID, Size: d.Join.Mapping.Size}
		if err := c.pool.Share(c.bundle, ids, d.Join.Container); err != nil {
			return fmt.Errorf("linux.namespaces: the container to join is gone: %w", err)
		}
		c.ids = ids
		return nil
	case d.Mapping == nil:
		ids, err := c.pool.Claim(c.bundle)
		c.ids = ids
		return err
	}
	ids := idmap.Range{Base: d.Mapping.HostID, Size: d.Mapping.Size}
	if err := c.pool.ClaimRange(c.bundle, ids); err != nil {
		return fmt.Errorf("linux.uidMappings: %w", err)
	}
	c.ids = ids
	return nil
}

// delegate leaves in the request what the embedded service needs: nothing to
// mount, options of its own type, and I/O that belongs to the container's user,
// without which /dev/stdout could not be opened again.
func (c *container) delegate(r *taskapi.CreateTaskRequest, spec *specs.Spec) (err error) {
	c.opts.IoUid = c.ids.Base + spec.Process.User.UID
	c.opts.IoGid = c.ids.Base + spec.Process.User.GID
	c.divides = mayDivide(spec)
	if isSystemdCgroup(spec.Linux.CgroupsPath) {
		c.opts.SystemdCgroup = true
	}
	r.Rootfs = nil
	r.Options, err = packOptions(c.opts)
	return err
}

// delegateCgroups gives the container, whose first process this is, its own cgroups to divide.
func (c *container) delegateCgroups(pid uint32) error {
	root := int(c.ids.Base)
	if err := delegateCgroups(c.cgroups, root, root); err != nil {
		return err
	}
	if dir, ok := c.cgroups[""]; ok && c.divides {
		if err := divideV2(dir, pid, root, root); err != nil {
			return fmt.Errorf("delegate cgroup: %w", err)
		}
	}
	return nil
}

// end is release for a container that runc may have begun to create: whatever runs
// in its cgroups is ended first. If that fails, its range stays claimed.
func (c *container) end(ctx context.Context) {
	if err := endCgroups(containerCgroups(c.bundle, c.runcState)); err != nil {
		log.G(ctx).WithError(err).WithField("id", filepath.Base(c.bundle)).Error("ending what runc left; its ID range stays claimed")
		c.ids = idmap.Range{}
	}
	c.release(ctx)
}

// release undoes what isolate did, last first, and goes on where a step fails.
// What remains then is logged; mounts end with the shim at the latest.
func (c *container) release(ctx context.Context) {
	logger := log.G(ctx).WithField("id", filepath.Base(c.bundle))
	for _, b := range c.brokers {
		b.Close()
	}
	if err := c.emulation.close(); err != nil {
		logger.WithError(err).Warn("ending the pseudo-files")
	}
	for i := len(c.mounts) - 1; i >= 0; i-- {
		if err := detachAll(c.mounts[i]); err != nil {
			logger.WithError(err).Warn("unmounting")
		}
	}
	if err := removeStage(c.stageDir); err != nil {
		logger.WithError(err).Warn("removing the stage")
	}
	if c.cgroup != "" {
		_ = unix.Rmdir(c.cgroup) // it is runc's if it is in use
	}
	c.namespaces.Close()
	if c.ids == (idmap.Range{}) {
		return
	}
	if err := c.hostSettings().ReleaseOwner(c.bundle); err != nil {
		logger.WithError(err).Error("putting back settings of the host")
	}
	if err := c.pool.Release(c.bundle, c.ids); err != nil && !errors.Is(err, idmap.ErrNotClaimed) {
		logger.WithError(err).Error("releasing the ID range")
	}
}

// detachAll unmounts what is mounted at a place, and what that had covered.
func detachAll(path string) error {
	for {
		err := linux.Detach(path)
		if errors.Is(err, unix.EINVAL) {
			return nil // nothing is mounted there
		}
		if err != nil {
			return err
		}
	}
}

// removeStage removes the empty places of a stage. Where something is still mounted,
// its content is somebody's data: no directory that was mounted on is ever listed,
// and what else is removed must lie on the stage itself.
func removeStage(dir string) error {
	stage, err := linux.StatAt(nil, dir)
	if err != nil {
		return ignoreMissing(err)
	}
	for _, place := range []string{"rootfs", "dev", filesDir} {
		err = errors.Join(err, ignoreMissing(unix.Rmdir(filepath.Join(dir, place))))
	}
	for _, places := range []string{"volumes", "nodes"} {
		err = errors.Join(err, removePlaces(stage.MountID, filepath.Join(dir, places)))
	}
	return errors.Join(err, unix.Rmdir(dir))
}

// removePlaces removes a directory of empty files and directories that were mounted
// on, if nothing is mounted there any more.
func removePlaces(stage uint64, dir string) error {
	st, err := linux.StatAt(nil, dir)
	if err != nil {
		return ignoreMissing(err)
	}
	if st.MountID != stage {
		return &os.PathError{Op: "remove", Path: dir, Err: unix.EBUSY}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// EBUSY where something is mounted, ENOTEMPTY for a directory in use.
		err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
	}
	return errors.Join(err, ignoreMissing(unix.Rmdir(dir)))
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// stateLink is a link in the bundle to the state directory in which the container
// has a claim.
const stateLink = "eci-state"

// releaseClaims is the part of release that is left for a fresh process, which
// knows the bundle only. Without a link in it, nothing was ever claimed.
func releaseClaims(bundle string) error {
	stateDir, err := os.Readlink(filepath.Join(bundle, stateLink))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := hostSettings(stateDir).ReleaseOwner(bundle); err != nil {
		return fmt.Errorf("put back settings of the host: %w", err)
	}
	err = idmap.Pool{Dir: host.RangesDir(stateDir)}.ReleaseOwner(bundle)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the state directory is gone, and all claims with it
	}
	return err
}
