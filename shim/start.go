package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/schedcore"
	"github.com/containerd/containerd/v2/pkg/shim"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// groupLabels are the annotations by which one shim serves several containers:
// the explicit one, and the pod of a Kubernetes container. The first that is
// present wins.
var groupLabels = []string{
	"io.containerd.runc.v2.group",
	"io.kubernetes.cri.sandbox-id",
}

// start starts the shim's server for the bundle in the working directory, or
// finds the one that serves its group already, and tells containerd its address.
//
// The server is cloned into a mount namespace of its own and gets the socket as
// descriptor 3, a debug socket as 4 where containerd logs at that level, and the
// caller's mount namespace behind these (see [inheritHostNamespace]).
//
// Not a byte may go to stderr unless start fails: containerd parses both
// streams together.
func start(args arguments, stdin io.Reader, stdout io.Writer) error {
	boot, err := readBootstrap(args, stdin)
	if err != nil {
		return err
	}
	cfg, err := checkHost()
	if err != nil {
		return err
	}
	if err := checkShimCgroup(boot.shimCgroup); err != nil {
		subject := audit.Subject{Namespace: args.namespace, Container: args.id, Action: audit.Create}
		_ = audit.Log{Audit: cfg.Audit}.Write(audit.Denial(subject, "runtime-options", err))
		return err
	}
	group, err := groupOf("config.json", args.id)
	if err != nil {
		return err
	}
	ctx := namespaces.WithNamespace(context.Background(), args.namespace)
	address, err := shim.CreateSocketAddress(ctx, boot.socketDir, args.address, group, false)
	if err != nil {
		return err
	}
	if group != args.id {
		lock, err := lockGroup(cfg.StateDir, address)
		if err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
		defer lock.Close()
	}
	listener, err := listen(ctx, address)
	if err != nil {
		return err
	}
	if listener != nil {
		if err := launch(ctx, args, boot, listener, group); err != nil {
			listener.Close()
			_ = shim.RemoveSocket(address)
			return err
		}
	}
	return boot.answer(stdout, address)
}

// lockGroup keeps everybody else who starts a server for the same address waiting until the
// result is closed: between bind(2) and the server's first answer, a socket looks like that of
// a dead one. It is the byte of a file that is numbered like the address.
func lockGroup(stateDir, address string) (*os.File, error) {
	f, err := linux.OpenAt(nil, filepath.Join(stateDir, "groups"), unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(address))
	if err := linux.LockByte(f, int64(hash.Sum64()>>1)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// launch starts the server on listener and returns when it runs.
func launch(ctx context.Context, args arguments, boot bootstrap, listener *net.UnixListener, group string) error {
	socket, err := listener.File()
	if err != nil {
		return err
	}
	files := []*os.File{socket}
	if args.debug {
		debug, err := debugSocket(ctx, args, boot, group)
		if err != nil {
			return err
		}
		files = append(files, debug)
	}
	host, err := os.Open("/proc/self/ns/mnt")
	if err != nil {
		return err
	}
	files = append(files, host)

	cmd, err := serverCommand(args, files)
	if err != nil {
		return err
	}
	if os.Getenv("SCHED_CORE") != "" {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := schedcore.Create(schedcore.ProcessGroup); err != nil {
			return fmt.Errorf("enable core scheduling: %w", err)
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := boot.settle(cmd.Process.Pid); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	}
	return nil
}

// serverCommand is this program again, as the server.
func serverCommand(args arguments, files []*os.File) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-namespace", args.namespace, "-id", args.id, "-address", args.address)
	if args.debug {
		cmd.Args = append(cmd.Args, "-debug")
	}
	cmd.Env = append(os.Environ(),
		"GOMAXPROCS=4",
		fmt.Sprintf("%s=%d", hostNamespaceEnv, 3+len(files)-1),
	)
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true,
		// Not Unshareflags: with that, package syscall would make every mount
		// private, and we want slaves (mountns.go).
		Cloneflags: unix.CLONE_NEWNS,
	}
	return cmd, nil
}

// listen makes the shim's socket. It returns nil when a living server of the
// same group listens there already; a socket that a dead one left is replaced.
func listen(ctx context.Context, address string) (*net.UnixListener, error) {
	l, err := shim.NewSocket(address)
	if err == nil {
		l.SetUnlinkOnClose(false)
		return l, nil
	}
	if !shim.SocketEaddrinuse(err) {
		return nil, fmt.Errorf("create shim socket: %w", err)
	}
	if answers(ctx, address) {
		return nil, nil
	}
	if err := shim.RemoveSocket(address); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of a dead shim: %w", err)
	}
	if l, err = shim.NewSocket(address); err != nil {
		return nil, fmt.Errorf("create shim socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}

// debugSocket makes the socket on which the server offers pprof.
func debugSocket(ctx context.Context, args arguments, boot bootstrap, group string) (*os.File, error) {
	address, err := shim.CreateSocketAddress(ctx, boot.socketDir, args.address, group, true)
	if err != nil {
		return nil, err
	}
	_ = shim.RemoveSocket(address)
	l, err := shim.NewSocket(address)
	if err != nil {
		return nil, fmt.Errorf("create debug socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	return l.File()
}

// groupOf returns the name of the group that the container of an OCI spec
// belongs to; without one, its own id.
func groupOf(config, id string) (string, error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return "", fmt.Errorf("%s is not an OCI spec: %w", filepath.Base(config), err)
	}
	for _, label := range groupLabels {
		if group := spec.Annotations[label]; group != "" {
			return group, nil
		}
	}
	return id, nil
}

// checkHost finds out whether containers can run here at all, in the one place
// from which an error reaches the client whole: a valid configuration, a state
// directory, a kernel and a runc that are new enough.
func checkHost() (cfg policy.Config, err error) {
	cfg, err = conf.Source{}.Load()
	if err != nil {
		return cfg, err
	}
	if err := requireHost("/proc/self/uid_map"); err != nil {
		return cfg, err
	}
	if err := idmap.Require(); err != nil {
		return cfg, err
	}
	if err := requireFUSE(cfg); err != nil {
		return cfg, err
	}
	if err := os.MkdirAll(stageDir(cfg), 0o711); err != nil {
		return cfg, fmt.Errorf("state directory: %w", err)
	}
	runc, err := findRunc(cfg, nil)
	if err != nil {
		return cfg, err
	}
	return cfg, checkRunc(runc, cfg.StateDir)
}

// requireFUSE finds out whether files can be served that show a container itself.
func requireFUSE(cfg policy.Config) error {
	if !cfg.Emulation.Enabled {
		return nil
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return fmt.Errorf("the kernel's FUSE is needed to show containers themselves: %w; load the module fuse, or set emulation.enabled = false (docs/kernel.md)", err)
	}
	return nil
}
