package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/containerd/go-runc"
	"github.com/containerd/log"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	"github.com/containerd/ttrpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/policy"
)

// service is runc's task service with isolation in front of Create.
type service struct {
	taskapi.TTRPCTaskService // runc's
	host                     func() (*hostView, error)

	sweep sync.Once // of sockets that others have left
	rest  restTimer

	mu         sync.Mutex
	containers map[string]*container // by container id
}

// registerServer registers the service with the shim framework, which initialises
// and serves it, and meanwhile prepares the process to isolate containers.
//
// A preparation that failed is reported by every Create: a server that just died
// would leave its client with a closed connection and no reason.
func registerServer(args arguments) {
	host := prepare(func() (*hostView, error) { return prepareServer(args.address) })
	go warmSpecDecoder()
	registry.Register(&plugin.Registration{
		Type:     plugins.TTRPCPlugin,
		ID:       "task",
		Requires: []plugin.Type{plugins.EventPlugin, plugins.InternalPlugin},
		InitFn:   func(ic *plugin.InitContext) (any, error) { return newService(ic, host) },
	})
}

// prepare runs fn beside its caller. What it returns waits for the result.
func prepare[T any](fn func() (T, error)) func() (T, error) {
	result := sync.OnceValues(fn)
	go result()
	return result
}

// prepareServer makes the server's mount namespace its own.
func prepareServer(containerd string) (*hostView, error) {
	ns, err := inheritHostNamespace()
	if err != nil {
		return nil, err
	}
	host, err := newHostView(ns, containerd)
	if err != nil {
		return nil, err
	}
	cfg, err := host.config().Load()
	if err != nil {
		return nil, err
	}
	return host, setupMountNamespace(cfg)
}

func newService(ic *plugin.InitContext, host func() (*hostView, error)) (*service, error) {
	publisher, err := ic.GetByID(plugins.EventPlugin, "publisher")
	if err != nil {
		return nil, err
	}
	end, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
	if err != nil {
		return nil, err
	}
	inner, err := task.NewTaskService(ic.Context, publisher.(shim.Publisher), end.(shutdown.Service))
	if err != nil {
		return nil, err
	}
	runc.Monitor = newForker(runc.Monitor)
	return &service{TTRPCTaskService: inner, host: host, containers: make(map[string]*container)}, nil
}

// RegisterTTRPC serves the task API in the versions that containerd 1.7 and 2.x speak.
func (s *service) RegisterTTRPC(server *ttrpc.Server) error {
	taskapi.RegisterTTRPCTaskService(server, s)
	registerTaskV2(server, s)
	return nil
}

// UnaryServerInterceptor turns a panic into the error of one request: other containers
// live in this shim, too.
func (s *service) UnaryServerInterceptor() ttrpc.UnaryServerInterceptor {
	return func(ctx context.Context, unmarshal ttrpc.Unmarshaler, info *ttrpc.UnaryServerInfo, method ttrpc.Method) (_ any, err error) {
		defer func() {
			if p := recover(); p != nil {
				log.G(ctx).WithField("method", info.FullMethod).Errorf("panic: %v\n%s", p, debug.Stack())
				err = toGRPC(fmt.Errorf("a mistake of the runtime, see containerd's log: panic in %s", info.FullMethod))
			}
		}()
		return method(ctx, unmarshal)
	}
}

// Create isolates the container and hands it to runc. When either fails, nothing
// that was acquired remains.
func (s *service) Create(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	host, err := s.host()
	if err != nil {
		return nil, toGRPC(err)
	}
	c, err := isolate(ctx, host, r)
	if err != nil {
		return nil, toGRPC(err)
	}
	resp, err := s.TTRPCTaskService.Create(ctx, r)
	if err != nil {
		c.end(ctx)
		return nil, err
	}
	c.cgroup = ""
	c.cgroups, err = cgroupPaths(c.runcState)
	s.mu.Lock()
	s.containers[r.ID] = c
	s.mu.Unlock()
	if err := errors.Join(err, c.cover(resp.Pid), c.maskUnits(resp.Pid), c.created(resp.Pid), c.delegateCgroups(resp.Pid)); err != nil {
		s.abort(ctx, r.ID)
		return nil, toGRPC(err)
	}
	s.sweep.Do(func() { go sweepSockets(socketDir(".")) })
	s.rest.again()
	return resp, nil
}

// abort ends a container that was created and must not be started.
func (s *service) abort(ctx context.Context, id string) {
	_, err := s.TTRPCTaskService.Kill(ctx, &taskapi.KillRequest{ID: id, Signal: 9, All: true})
	if err == nil {
		_, err = s.TTRPCTaskService.Wait(ctx, &taskapi.WaitRequest{ID: id})
	}
	if err == nil {
		_, err = s.Delete(ctx, &taskapi.DeleteRequest{ID: id})
	}
	if err != nil {
		log.G(ctx).WithError(err).WithField("id", id).Error("ending a container that cannot be isolated")
	}
}

// Delete removes a process; with the container's own, what the container held.
func (s *service) Delete(ctx context.Context, r *taskapi.DeleteRequest) (*taskapi.DeleteResponse, error) {
	if r.ExecID == "" {
		s.clearCgroups(ctx, r.ID)
	}
	resp, err := s.TTRPCTaskService.Delete(ctx, r)
	if err != nil || r.ExecID != "" {
		return resp, err
	}
	s.mu.Lock()
	c := s.containers[r.ID]
	delete(s.containers, r.ID)
	s.mu.Unlock()
	if c != nil {
		c.release(ctx)
	}
	return resp, nil
}

// clearCgroups removes what a container that has ended made below its cgroups, for runc
// would not always find the way.
func (s *service) clearCgroups(ctx context.Context, id string) {
	c := s.container(id)
	if c == nil || !hasCgroupsBelow(c.cgroups) {
		return
	}
	state, err := s.TTRPCTaskService.State(ctx, &taskapi.StateRequest{ID: id})
	if err != nil || state.Status != tasktypes.Status_STOPPED {
		return // runc says what is wrong
	}
	ctx, cancel := context.WithTimeout(ctx, clearPatience)
	defer cancel()
	if err := endCgroupsBelow(ctx, c.cgroups); err != nil {
		log.G(ctx).WithError(err).WithField("id", id).Warn("removing the cgroups that the container has made")
	}
}

// Start starts the container or, with an exec id, a process in it.
func (s *service) Start(ctx context.Context, r *taskapi.StartRequest) (*taskapi.StartResponse, error) {
	if r.ExecID != "" {
		go enterCgroupGracePeriod()
	}
	return s.TTRPCTaskService.Start(ctx, r)
}

// Exec adds another process, whose spec is judged like the container's first.
func (s *service) Exec(ctx context.Context, r *taskapi.ExecProcessRequest) (*emptypb.Empty, error) {
	c := s.container(r.ID)
	if c == nil {
		return nil, errgrpc.ToGRPCf(errdefs.ErrNotFound, "container %s is not created", r.ID)
	}
	if err := c.admit(ctx, r); err != nil {
		return nil, toGRPC(err)
	}
	return s.TTRPCTaskService.Exec(ctx, r)
}

// Kill sends a signal. What has to die of it does, whatever the container has done
// to its cgroups.
func (s *service) Kill(ctx context.Context, r *taskapi.KillRequest) (*emptypb.Empty, error) {
	resp, err := s.TTRPCTaskService.Kill(ctx, s.container(r.ID).stopSignal(r))
	if err == nil && r.Signal == uint32(unix.SIGKILL) {
		if c := s.container(r.ID); c != nil {
			go s.thaw(c, r)
		}
	}
	return resp, err
}

// thaw helps a process to die of the signal that it got.
func (s *service) thaw(c *container, r *taskapi.KillRequest) {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		_, _ = s.TTRPCTaskService.Wait(ctx, &taskapi.WaitRequest{ID: r.ID, ExecID: r.ExecID})
		cancel()
	}()
	thawUntil(ctx, containerCgroups(c.bundle, c.runcState))
}

// container is the container with that id, nil if there is none.
func (s *service) container(id string) *container {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.containers[id]
}

// Update changes the limits of a container, which must not be a way to move
// processes of the host.
func (s *service) Update(ctx context.Context, r *taskapi.UpdateTaskRequest) (*emptypb.Empty, error) {
	var resources specs.LinuxResources
	if err := json.Unmarshal(r.GetResources().GetValue(), &resources); err != nil {
		return nil, toGRPC(fmt.Errorf("%w: the resources to set: %w", errSpec, err))
	}
	if err := policy.CheckResources(&resources); err != nil {
		if c := s.container(r.ID); c != nil {
			c.log.during(audit.Update, "").refused(ctx, err)
		}
		return nil, toGRPC(err)
	}
	return s.TTRPCTaskService.Update(ctx, r)
}

// Checkpoint is refused: CRIU restores neither ID-mapped mounts nor the time
// namespace's offsets as they were.
func (s *service) Checkpoint(context.Context, *taskapi.CheckpointTaskRequest) (*emptypb.Empty, error) {
	return nil, toGRPC(errCheckpoint)
}
