package shim

import (
	"fmt"
	"slices"

	"github.com/containerd/containerd/api/types/runc/options"
	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/typeurl/v2"
	"github.com/pelletier/go-toml/v2"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/eci-runtime/eci/policy"
)

// runcOptions reads the options of a create request as runc's own type, which is
// what the embedded service works with, and asserts. Clients send one of
//
//   - nothing, or an empty message (ctr, nerdctl, docker without options);
//   - containerd.runc.v1.Options (ctr with --runc-*, CRI for runtimes of type
//     io.containerd.runc.v2);
//   - runtimeoptions.v1.Options (CRI and dockerd for every other type), whose
//     ConfigBody is the options table in TOML; an empty one stands for nothing, and
//     ConfigPath is chosenConfig's.
//
// Any other type is an error that names it.
func runcOptions(any typeurl.Any) (*options.Options, error) {
	if any == nil || any.GetTypeUrl() == "" {
		return &options.Options{}, nil
	}
	v, err := typeurl.UnmarshalAny(any)
	if err != nil {
		return nil, &optionsError{"of type " + any.GetTypeUrl() + " cannot be read: " + err.Error()}
	}
	switch o := v.(type) {
	case *options.Options:
		return o, nil
	case *runtimeoptions.Options:
		return genericOptions(o)
	default:
		return nil, &optionsError{"are of type " + any.GetTypeUrl() + "; this runtime takes containerd.runc.v1.Options or runtimeoptions.v1.Options"}
	}
}

// genericOptions translates the options table that CRI and dockerd pass through
// as text. Its keys are those of runc's options in containerd's configuration.
func genericOptions(o *runtimeoptions.Options) (*options.Options, error) {
	var table struct {
		BinaryName    string
		Root          string
		SystemdCgroup bool
		NoPivotRoot   bool
		NoNewKeyring  bool
		ShimCgroup    string
		IoUid, IoGid  uint32 //nolint:revive // the spelling is containerd's
		CriuPath      string
		CriuImagePath string
		CriuWorkPath  string
	}
	if err := toml.Unmarshal(o.GetConfigBody(), &table); err != nil {
		return nil, &optionsError{"runtimeoptions.v1.Options.config_body is not TOML: " + err.Error()}
	}
	return &options.Options{
		BinaryName: table.BinaryName, Root: table.Root, SystemdCgroup: table.SystemdCgroup,
		NoPivotRoot: table.NoPivotRoot, NoNewKeyring: table.NoNewKeyring, ShimCgroup: table.ShimCgroup,
		IoUid: table.IoUid, IoGid: table.IoGid,
		CriuImagePath: table.CriuImagePath, CriuWorkPath: table.CriuWorkPath,
	}, nil
}

// chosenConfig is the configuration that the options of a create request name; empty
// if they name none. Options that cannot be read are runcOptions' to report.
func chosenConfig(any typeurl.Any) string {
	if any == nil || any.GetTypeUrl() == "" {
		return ""
	}
	if v, err := typeurl.UnmarshalAny(any); err == nil {
		if o, ok := v.(*runtimeoptions.Options); ok {
			return o.GetConfigPath()
		}
	}
	return ""
}

// packOptions is the inverse of runcOptions.
func packOptions(o *options.Options) (*anypb.Any, error) {
	return typeurl.MarshalAnyToProto(o)
}

// optionsError names what is wrong with a request's options.
type optionsError struct{ what string }

func (e *optionsError) Error() string { return "runtime options " + e.what }

// refusedOptions are those that take a wall away. A client that may set them is not
// thereby one that may leave them out.
var refusedOptions = []struct {
	name string
	set  func(*options.Options) bool
	why  string
}{
	{"no_pivot_root", (*options.Options).GetNoPivotRoot, "without pivot_root(2) the host's tree stays below the container's root, from where setns(2) leads back to it"},
	{"no_new_keyring", (*options.Options).GetNoNewKeyring, "the container would possess the keys of containerd's session keyring"},
}

// checkOptions refuses options that an isolated container cannot have, and a place
// for runc's state that the configuration does not list.
func checkOptions(cfg policy.Config, o *options.Options) error {
	if root := o.GetRoot(); root != "" && !slices.Contains(cfg.RuncRoots, root) {
		return &optionsError{fmt.Sprintf("have runc keep its state in %q, which is not in runc_roots of the configuration", root)}
	}
	for _, refused := range refusedOptions {
		if refused.set(o) {
			return &optionsError{fmt.Sprintf("ask for %s: %s", refused.name, refused.why)}
		}
	}
	return nil
}
