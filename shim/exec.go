package shim

import (
	"encoding/json"
	"fmt"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// checkExec judges the process of an exec request. Its IDs are the container's,
// of which there are size.
func checkExec(r *taskapi.ExecProcessRequest, size uint32) error {
	var process specs.Process
	if err := json.Unmarshal(r.GetSpec().GetValue(), &process); err != nil {
		return fmt.Errorf("%w: the process to execute: %w", errSpec, err)
	}
	return policy.CheckProcess(&process, size)
}
