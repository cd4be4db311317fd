package shim

import (
	"context"
	"path/filepath"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/log"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
)

// State tells about a process. Whoever asks about a container that has stopped may be about
// to commit it, which is prepared once.
func (s *service) State(ctx context.Context, r *taskapi.StateRequest) (*taskapi.StateResponse, error) {
	resp, err := s.TTRPCTaskService.State(ctx, r)
	if err == nil && r.ExecID == "" && resp.Status == tasktypes.Status_STOPPED {
		if c := s.container(r.ID); c != nil {
			c.stopped.Do(func() { c.hideWhiteouts(ctx) })
		}
	}
	return resp, err
}

// Pause freezes the container, as clients do before they commit it.
func (s *service) Pause(ctx context.Context, r *taskapi.PauseRequest) (*emptypb.Empty, error) {
	resp, err := s.TTRPCTaskService.Pause(ctx, r)
	if c := s.container(r.ID); err == nil && c != nil {
		c.hideWhiteouts(ctx)
	}
	return resp, err
}

// hideWhiteouts readies the state of engines to be walked through by who commits: no process
// of the container runs meanwhile. That what engines have deleted in their own layers is
// seen again in what is committed, the log says.
func (c *container) hideWhiteouts(ctx context.Context) {
	for _, path := range c.state {
		hidden, err := hideWhiteoutsAt(path)
		logger := log.G(ctx).WithField("id", filepath.Base(c.bundle))
		switch {
		case err != nil:
			logger.WithError(err).Warnf("hiding whiteouts of an engine: %s cannot be committed", path)
		case hidden > 0:
			logger.Infof("%d directories in %s have whiteouts of an engine, which would not be committed", hidden, path)
		}
	}
}

func hideWhiteoutsAt(path string) (int, error) {
	dir, err := linux.OpenHow(nil, path, unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	if st, err := linux.StatFile(dir); err != nil || !st.MountRoot {
		return 0, err // it is not the one that was mounted
	}
	return idmap.HideWhiteouts(dir)
}
