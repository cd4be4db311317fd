package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Close ends all containers and containerd, and removes everything of the bed.
// It returns an error that names what the runtime had left behind after the
// containers were deleted in order, and what could not be removed.
func (d *Daemon) Close() error {
	var errs []error
	if d.client != nil {
		errs = append(errs, d.deleteContainers())
		if left := d.Leftovers(30 * time.Second); len(left) > 0 {
			errs = append(errs, fmt.Errorf("left behind:\n  %s", strings.Join(left, "\n  ")))
		}
		errs = append(errs, d.client.Close())
		d.client = nil
	}
	errs = append(errs, d.stop(), d.scrub())
	return errors.Join(errs...)
}

// deleteContainers kills and deletes every container of the bed through the client.
func (d *Daemon) deleteContainers() error {
	ctx, cancel := context.WithTimeout(d.Context(context.Background()), deadline)
	defer cancel()
	containers, err := d.client.Containers(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, c := range containers {
		errs = append(errs, deleteContainer(ctx, c))
	}
	return errors.Join(errs...)
}

// stop ends containerd with SIGTERM, or with SIGKILL if it does not follow.
func (d *Daemon) stop() error {
	if d.exited == nil || d.cmd.Process == nil {
		return nil
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
		return nil
	case <-time.After(deadline):
		_ = d.cmd.Process.Kill()
		<-d.exited
		return errors.New("containerd did not end on SIGTERM")
	}
}

// scrub removes everything that carries the bed's name, once containerd is gone.
func (d *Daemon) scrub() error {
	var errs []error
	// New processes can appear while others are killed, hence more than one look.
	for range 10 {
		processes, err := d.Processes()
		if err != nil {
			errs = append(errs, err)
		}
		if len(processes) == 0 {
			break
		}
		for _, p := range processes {
			errs = append(errs, Kill9(p.Pid))
		}
	}
	errs = append(errs, removeCgroups(d.Cgroup()), d.unmountAll())
	if d.netns != nil {
		errs = append(errs, d.netns.Close())
		d.netns = nil
	}
	errs = append(errs, os.RemoveAll(filepath.Join("/run/containerd/runc", d.Namespace)))
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
		d.lock = nil
	}
	if isMountPoint(d.Dir) {
		if err := unix.Unmount(d.Dir, unix.MNT_DETACH); err != nil {
			errs = append(errs, &os.PathError{Op: "unmount", Path: d.Dir, Err: err})
		}
	}
	// Never walk into what could not be unmounted: it is somebody's data.
	if left := d.mountsBelow(); len(left) > 0 {
		return errors.Join(append(errs, fmt.Errorf("still mounted: %s", strings.Join(left, ", ")))...)
	}
	return errors.Join(append(errs, os.RemoveAll(d.Dir))...)
}

// unmountAll detaches what is mounted below the bed's directory, last mounted first.
func (d *Daemon) unmountAll() error {
	var errs []error
	for _, point := range slices.Backward(d.mountsBelow()) {
		if err := unix.Unmount(point, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL {
			errs = append(errs, &os.PathError{Op: "unmount", Path: point, Err: err})
		}
	}
	return errors.Join(errs...)
}

func (d *Daemon) mountsBelow() []string { return MountsBelow(d.Dir) }

// MountsBelow are the mount points below a directory, in the order of mounting.
func MountsBelow(dir string) []string {
	var points []string
	for _, m := range hostMounts() {
		if strings.HasPrefix(m.point, dir+"/") {
			points = append(points, m.point)
		}
	}
	return points
}

func isMountPoint(dir string) bool {
	return slices.ContainsFunc(hostMounts(), func(m hostMount) bool { return m.point == dir })
}
