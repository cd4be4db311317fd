package shim

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/log"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/internal/pseudofs"
	"github.com/eci-runtime/eci/internal/seccomp"
	"github.com/eci-runtime/eci/internal/sysctl"
	"github.com/eci-runtime/eci/policy"
)

// emulation is what shows a container itself: the files that are mounted over those of
// the kernel in /proc and /sys, and the agent that answers system calls.
type emulation struct {
	source *pseudofs.Source
	files  func() (*pseudofs.FS, error) // waits until they are served
	agent  *seccomp.Agent               // nil where the client's profile lets no call through
	net    *network
}

// emulate begins to serve what shows the container itself. The files are made beside what
// Create does next.
func (c *container) emulate(ctx context.Context, spec *specs.Spec, d policy.Decision, facts policy.Facts, g *policy.Grant) (err error) {
	if !c.cfg.Emulation.Enabled {
		return nil
	}
	e := &emulation{source: pseudofs.NewSource(facts.Boottime), net: c.host.networks.join(c.joinedNetwork(spec, d))}
	c.emulation = e
	config := pseudofs.Config{
		Dir:      filepath.Join(c.stageDir, filesDir),
		UID:      c.ids.Base,
		GID:      c.ids.Base,
		IDs:      c.ids.Size,
		UUID:     productUUID(c.host.Root(), filepath.Base(c.bundle)),
		Source:   e.source,
		Network:  e.net.values,
		Raise:    c.raiser(spec.Linux.ReadonlyPaths),
		Masked:   spec.Linux.MaskedPaths,
		ReadOnly: spec.Linux.ReadonlyPaths,
		Logf:     logf(ctx, c.bundle),
	}
	if err := os.Mkdir(config.Dir, 0o700); err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	c.pseudoMounts = pseudoMounts(spec.Mounts)
	e.files = prepare(func() (*pseudofs.FS, error) { return pseudofs.New(config) })
	if len(d.Intercepts) == 0 {
		return nil
	}
	g.Listener = c.agentSocket()
	e.agent, err = seccomp.Listen(seccomp.Config{
		Path:        g.Listener,
		Files:       instances{e.files},
		Sysinfo:     e.sysinfo,
		CPUs:        e.source.CPUs,
		Devices:     mknodDevices(d.Mknod),
		FileSystems: c.ownFS,
		OnlyKilled:  facts.WaitKillable,
		IDs:         seccomp.Range{Base: c.ids.Base, Size: c.ids.Size},
		Logf:        logf(ctx, c.bundle),
	})
	return err
}

// close ends what was begun.
func (e *emulation) close() error {
	if e == nil {
		return nil
	}
	if e.agent != nil {
		_ = e.agent.Close()
	}
	var err error
	if e.files != nil {
		var files *pseudofs.FS
		if files, err = e.files(); err == nil {
			err = files.Close()
		}
	}
	_ = e.source.Close()
	e.net.leave()
	return err
}

// joinedNetwork is the inode of the network namespace that the container joins; 0 if runc
// makes one.
func (c *container) joinedNetwork(spec *specs.Spec, d policy.Decision) uint64 {
	for _, i := range d.Joins {
		if spec.Linux.Namespaces[i].Type != specs.NetworkNamespace {
			continue
		}
		if st, err := linux.StatFile(c.namespaces.File(i)); err == nil {
			return st.Ino
		}
	}
	return 0
}

// instances lets the agent make instances of proc and sysfs.
type instances struct {
	files func() (*pseudofs.FS, error)
}

func (i instances) Instance(mount *os.File, fstype string, plain bool) (*os.File, error) {
	files, err := i.files()
	if err != nil {
		return nil, err
	}
	var opts []pseudofs.InstanceOption
	if plain {
		opts = append(opts, pseudofs.WithoutServed)
	}
	return files.NewInstance(mount, pseudoKinds[fstype].kind, opts...)
}

func (i instances) Dev() uint64 {
	files, err := i.files()
	if err != nil {
		return 0
	}
	return unix.Mkdev(files.Dev())
}

// mknodDevices are the devices that were decided about, for the agent.
func mknodDevices(nodes []policy.Node) []seccomp.Device {
	var out []seccomp.Device
	for _, n := range nodes {
		out = append(out, seccomp.Device{Type: n.Type[0], Major: uint32(n.Major), Minor: uint32(n.Minor)})
	}
	return out
}

// sysinfo are the numbers of the container for sysinfo(2).
func (e *emulation) sysinfo() (seccomp.Sysinfo, error) {
	n, err := e.source.Sysinfo()
	return seccomp.Sysinfo(n), err
}

// filesDir is the directory in the stage of a container on which the pseudo-files are mounted.
const filesDir = "files"

// agentSocket is a path for the agent's socket, beside the stages of containers and not in one:
// it must be short (unix(7): 108 bytes), and an id can be long. No id begins with a dot. It is
// in the shim's mount namespace, from where runc connects.
func (c *container) agentSocket() string {
	return filepath.Join(stageDir(c.cfg), fmt.Sprintf(".%d", c.host.agents.Add(1)))
}

// hostSettings are the claims on settings of the host that containers raise.
func (c *container) hostSettings() sysctl.Claims {
	s := hostSettings(c.cfg.StateDir)
	s.Ceilings, s.Exists = c.cfg.Sysctl.Ceilings, c.pool.Exists
	return s
}

func hostSettings(stateDir string) sysctl.Claims {
	return sysctl.Claims{Dir: filepath.Join(stateDir, "sysctl"), Proc: "/proc/sys"}
}

// productUUID is the number of a machine for a container: of version 5 (RFC 9562), from the
// host's and the container's id, so that the host's cannot be told from it.
func productUUID(root *os.File, id string) string {
	var machine []byte
	if f, err := linux.OpenInRoot(root, "/etc/machine-id", unix.O_RDONLY); err == nil {
		machine, _ = io.ReadAll(io.LimitReader(f, 64))
		f.Close()
	}
	sum := sha1.Sum([]byte("eci\x00" + strings.TrimSpace(string(machine)) + "\x00" + id))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// logf writes to containerd's log, with the id of a container.
func logf(ctx context.Context, bundle string) func(string, ...any) {
	entry := log.G(context.WithoutCancel(ctx)).WithField("id", filepath.Base(bundle))
	return func(format string, args ...any) { entry.Warnf(format, args...) }
}
