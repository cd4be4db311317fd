package shim

import (
	"context"
	"encoding/json"
	"fmt"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/policy"
)

// admit judges an exec request, and writes down what became of it. The IDs of the
// process are the container's.
func (c *container) admit(ctx context.Context, r *taskapi.ExecProcessRequest) (err error) {
	log := c.log.during(audit.Exec, r.ExecID)
	defer func() { log.refused(ctx, err) }()
	if err := checkStdio(r.Stdin, r.Stdout, r.Stderr); err != nil {
		return err
	}
	var process specs.Process
	if err := json.Unmarshal(r.GetSpec().GetValue(), &process); err != nil {
		return fmt.Errorf("%w: the process to execute: %w", errSpec, err)
	}
	findings, err := policy.CheckProcess(c.cfg, &process, c.ids.Size)
	if err != nil {
		return err
	}
	return log.found(ctx, findings)
}
