package shim

import (
	"context"
	"strings"

	"github.com/containerd/ttrpc"
)

// traceOf is the id of the trace that a request is part of: containerd 2.x sends it in the
// metadata of its calls (W3C Trace Context, "traceparent") where it traces itself. Spans of
// our own would need OpenTelemetry's exporter, which containerd leaves out of runc's shim, too.
func traceOf(ctx context.Context) string {
	md, _ := ttrpc.GetMetadata(ctx)
	values, _ := md.Get("traceparent")
	if len(values) != 1 {
		return ""
	}
	// version-trace-parent-flags
	parts := strings.Split(values[0], "-")
	if len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" || strings.Trim(parts[1], "0") == "" {
		return ""
	}
	return parts[1]
}
