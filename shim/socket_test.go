package shim

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
)

// refuser answers every request with an error, as a server does for a container
// that it does not know.
type refuser struct{ taskapi.TTRPCTaskService }

func (refuser) Connect(context.Context, *taskapi.ConnectRequest) (*taskapi.ConnectResponse, error) {
	return nil, os.ErrNotExist
}

func TestAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	address := "unix://" + path
	if answers(t.Context(), address) {
		t.Error("no socket answers")
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	// A dying process: it can still be connected to, and then is gone.
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if conn, err := l.Accept(); err == nil {
			conn.Close()
		}
	}()
	if answers(t.Context(), address) {
		t.Error("a server that closes the connection answers")
	}
	<-closed

	server, err := ttrpc.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	taskapi.RegisterTTRPCTaskService(server, refuser{})
	go func() { _ = server.Serve(t.Context(), l) }()
	if !answers(t.Context(), address) {
		t.Error("a living server does not answer")
	}
}
