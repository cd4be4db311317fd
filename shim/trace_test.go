package shim

import (
	"context"
	"testing"

	"github.com/containerd/ttrpc"
)

func TestTraceOf(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for header, want := range map[string]string{
		"00-" + id + "-00f067aa0ba902b7-01":                       id,
		"cc-" + id + "-00f067aa0ba902b7-01-later":                 id,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": "",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01": "",
		"00-" + id + "\n-00f067aa0ba902b7-01":                     "",
		"":                                                        "",
		id:                                                        "",
	} {
		ctx := ttrpc.WithMetadata(context.Background(), ttrpc.MD{"traceparent": {header}})
		if got := traceOf(ctx); got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
	if got := traceOf(context.Background()); got != "" {
		t.Errorf("without metadata: %q", got)
	}
}
