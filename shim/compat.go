package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/containerd/cgroups/v3"
	"github.com/containerd/cgroups/v3/cgroup1"
	"github.com/containerd/cgroups/v3/cgroup2"
	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/defaults"
	"github.com/containerd/containerd/v2/pkg/shim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxBootstrap bounds what is read from containerd's side of the pipe, in bytes.
const maxBootstrap = 10 << 20

// defaultSocketDir is where shims' sockets lie when containerd names no place.
var defaultSocketDir = filepath.Join(defaults.DefaultStateDir, "s")

// bootstrap is what containerd tells a shim that it starts, in either of the two
// forms that its releases use:
//
//   - 2.3 and later send BootstrapParams and take BootstrapResult, both protobuf;
//   - 1.7 to 2.2 send the runtime options alone, or nothing, and take JSON. Nothing
//     in the request tells 1.7, which refuses version 3 of the task API, from 2.x,
//     which takes both; so these are offered version 2 (see service.RegisterTTRPC).
type bootstrap struct {
	legacy     bool
	socketDir  string // directory of the shim's sockets
	shimCgroup string // cgroup for the shim itself, "" for none
}

// readBootstrap reads the request of "start" from containerd.
func readBootstrap(args arguments, r io.Reader) (bootstrap, error) {
	if args.namespace == "" || args.id == "" {
		return bootstrap{}, errors.New("start needs -namespace and -id")
	}
	input, err := io.ReadAll(io.LimitReader(r, maxBootstrap))
	if err != nil {
		return bootstrap{}, fmt.Errorf("read bootstrap parameters: %w", err)
	}
	var params bootapi.BootstrapParams
	if proto.Unmarshal(input, &params) == nil && params.InstanceID == args.id && params.Namespace == args.namespace {
		return modernBootstrap(&params)
	}
	return legacyBootstrap(input), nil
}

func modernBootstrap(params *bootapi.BootstrapParams) (bootstrap, error) {
	b := bootstrap{socketDir: params.GetSocketDir()}
	if b.socketDir == "" {
		b.socketDir = defaultSocketDir
	} else if err := linkSocketDir(b.socketDir); err != nil {
		return b, err
	}
	var opts options.Options
	if found, err := params.FindExtension(&opts); err != nil {
		return b, fmt.Errorf("read runtime options: %w", err)
	} else if found {
		b.shimCgroup = opts.GetShimCgroup()
	}
	return b, nil
}

// legacyBootstrap takes from the options only what start needs; Create reports
// options that cannot be read.
func legacyBootstrap(input []byte) bootstrap {
	b := bootstrap{legacy: true, socketDir: defaultSocketDir}
	var wrapped anypb.Any
	if len(input) == 0 || proto.Unmarshal(input, &wrapped) != nil {
		return b
	}
	if opts, err := runcOptions(&wrapped); err == nil {
		b.shimCgroup = opts.GetShimCgroup()
	}
	return b
}

// linkSocketDir leaves the sockets' directory where the framework's clean-up
// looks for it: as the link "s" in the bundle.
func linkSocketDir(dir string) error {
	if err := os.Remove("s"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(dir, "s")
}

// answer tells containerd where the server listens and which task API it may use.
func (b bootstrap) answer(w io.Writer, address string) error {
	if !b.legacy {
		data, err := proto.Marshal(&bootapi.BootstrapResult{Version: 3, Address: address, Protocol: "ttrpc"})
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	// containerd 1.7 finds a living shim again by this file.
	if err := os.WriteFile("address", []byte(address), 0o600); err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(struct {
		Version  int    `json:"version"`
		Address  string `json:"address"`
		Protocol string `json:"protocol"`
	}{2, address, "ttrpc"})
}

// settle puts the new server into the cgroup that the options name and makes it a
// likelier victim of the OOM killer than containerd. The latter is best effort: it
// fails where containerd was protected further than we are allowed to follow.
func (b bootstrap) settle(pid int) error {
	_ = shim.AdjustOOMScore(pid)
	if b.shimCgroup == "" {
		return nil
	}
	if err := joinCgroup(b.shimCgroup, pid); err != nil {
		return fmt.Errorf("options: shim_cgroup %q: %w", b.shimCgroup, err)
	}
	return nil
}

// checkShimCgroup wants a cgroup for the shim that is written in one way only, exists, and
// is nobody's but root's: whoever rules over it can freeze and starve the shim.
func checkShimCgroup(path string) error {
	if path == "" {
		return nil
	}
	if filepath.Clean("/"+path) != path || path == "/" {
		return &optionsError{fmt.Sprintf("ask for shim_cgroup %q, which is not a clean absolute path below the root cgroup", path)}
	}
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if why := foreignIn(root, path); why != "" {
			return &optionsError{fmt.Sprintf("ask for shim_cgroup %q: %s", path, why)}
		}
	}
	return nil
}

// joinCgroup puts a process into a cgroup that [checkShimCgroup] has let pass.
func joinCgroup(path string, pid int) error {
	if cgroups.Mode() == cgroups.Unified {
		cg, err := cgroup2.Load(path)
		if err != nil {
			return err
		}
		return cg.AddProc(uint64(pid))
	}
	cg, err := cgroup1.Load(cgroup1.StaticPath(path))
	if err != nil {
		return err
	}
	return cg.AddProc(uint64(pid))
}
