package shim

import (
	"cmp"
	"context"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/log"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/policy"
)

// auditor writes down what is decided about one container.
type auditor struct {
	log     audit.Log
	subject audit.Subject
}

func newAuditor(ctx context.Context, cfg policy.Config, host *hostView, r *taskapi.CreateTaskRequest) *auditor {
	ns, _ := namespaces.Namespace(ctx)
	return &auditor{
		log:     audit.Log{Root: host.Root(), Audit: cfg.Audit},
		subject: audit.Subject{Namespace: ns, Container: r.ID, Action: audit.Create, Trace: traceOf(ctx)},
	}
}

// imageAnnotation is the image's name as the kubelet's CRI plugin writes it.
const imageAnnotation = "io.kubernetes.cri.image-name"

// names adds what the image is called. The engine's record counts more than an
// annotation, which every client can write.
func (a *auditor) names(spec *specs.Spec, image policy.Image) {
	a.subject.Image = cmp.Or(image.Name, spec.Annotations[imageAnnotation])
	switch {
	case image.Name != "":
		a.subject.ImageBy = audit.Engine
	case a.subject.Image != "":
		a.subject.ImageBy = audit.Client
	}
}

// during is the auditor for what happens to the container later.
func (a *auditor) during(action audit.Action, exec string) *auditor {
	later := *a
	later.subject.Action, later.subject.Exec = action, exec
	return &later
}

// allowed writes that the container may start. It fails only where the configuration
// demands that nothing passes unseen.
func (a *auditor) allowed(ctx context.Context, cfg policy.Config, d policy.Decision) error {
	return a.write(ctx, audit.Permission(a.subject, cfg, d)...)
}

// found writes what was let pass in a container that runs, if there is something.
func (a *auditor) found(ctx context.Context, findings []policy.Finding) error {
	if len(findings) == 0 {
		return nil
	}
	return a.write(ctx, audit.Findings(a.subject, findings)...)
}

// refused writes why something was not done: a refusal, or an error that may be the trace
// of an attack. Whether or not it could be written, it is not done.
func (a *auditor) refused(ctx context.Context, err error) {
	if err == nil {
		return
	}
	for _, refusal := range refusals {
		if refusal.is(err) {
			_ = a.write(ctx, audit.Denial(a.subject, refusal.rule, err))
			return
		}
	}
	line := audit.Denial(a.subject, "", err)
	line.Verdict = policy.Failed
	_ = a.write(ctx, line)
}

// refusals are the errors by which somebody is refused something, and the heading of
// docs/policy.md that tells why, where the error itself has no rule.
var refusals = []struct {
	is   func(error) bool
	rule string
}{
	{as[*policy.Violation], ""},
	{as[*optionsError], "runtime-options"},
	{is(conf.ErrNotListed), "runtime-options"},
	{is(errStdio), "runtime-options"},
	{is(idmap.ErrRangeTaken), "mapping"},
	{is(idmap.ErrNotJudged), "rootfs"},
	{is(host.ErrChanged), "volume-source"},
	{is(idmap.ErrMountPoint), "mount-path"},
}

func (a *auditor) write(ctx context.Context, lines ...audit.Line) error {
	err := a.log.Write(lines...)
	if err == nil || a.log.Required {
		return err
	}
	log.G(ctx).WithError(err).WithField("id", a.subject.Container).Error("a decision is not in the audit log")
	return nil
}
