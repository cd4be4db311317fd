package shim

import (
	"errors"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/policy"
)

// errCheckpoint answers a request to checkpoint a container or to restore one.
var errCheckpoint = errors.New("eci containers cannot be checkpointed or restored: CRIU handles neither ID-mapped mounts nor time namespace offsets")

// errorClasses maps our errors to containerd's, by which clients choose what to
// do: Docker, for one, ends with status 126 for a container that was refused. The
// first row that matches wins.
var errorClasses = []struct {
	matches func(error) bool
	class   error
}{
	{is(errStdio), errdefs.ErrPermissionDenied},
	{is(policy.ErrMalformed), errdefs.ErrInvalidArgument},
	{is(policy.ErrDenied), errdefs.ErrPermissionDenied},
	{is(policy.ErrUnsupported), errdefs.ErrNotImplemented},
	{is(idmap.ErrNotMappable), errdefs.ErrFailedPrecondition},
	{is(idmap.ErrKernel), errdefs.ErrFailedPrecondition},
	{is(idmap.ErrRangeTaken), errdefs.ErrPermissionDenied},
	{is(idmap.ErrNotClaimed), errdefs.ErrFailedPrecondition},
	{is(host.ErrNetworkBusy), errdefs.ErrFailedPrecondition},
	{is(idmap.ErrPoolExhausted), errdefs.ErrResourceExhausted},
	{is(idmap.ErrMountPoint), errdefs.ErrInvalidArgument},
	{is(idmap.ErrMountOption), errdefs.ErrInvalidArgument},
	{as[*optionsError], errdefs.ErrInvalidArgument},
	{is(conf.ErrNotListed), errdefs.ErrPermissionDenied},
	{is(errSpec), errdefs.ErrInvalidArgument},
	{is(errCheckpoint), errdefs.ErrNotImplemented},
	{is(os.ErrNotExist), errdefs.ErrNotFound},
}

// toGRPC gives an error the class under which containerd passes it on. The text
// stays one line.
func toGRPC(err error) error {
	for _, row := range errorClasses {
		if row.matches(err) {
			return errgrpc.ToGRPCf(row.class, "%s", oneLine(err))
		}
	}
	return errgrpc.ToGRPCf(errdefs.ErrUnknown, "%s", oneLine(err))
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// oneLine is the text of an error on one line: clients show no more.
func oneLine(err error) string {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
}
