package integration

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"

	"github.com/eci-runtime/eci/integration/testbed"
)

// directShim runs the built shim as containerd does, for a bundle of the test's
// own. This reaches what containerd keeps from a shim: it reads the spec first,
// and refuses one that is not JSON itself.
type directShim struct {
	t      *testing.T
	bed    *testbed.Daemon
	id     string
	bundle string
}

func newDirectShim(t *testing.T, spec string) *directShim {
	t.Helper()
	d := bed(t)
	if runtimeName != "eci" {
		t.Skip("starts containerd-shim-eci-v2 itself, and ECI_TEST_RUNTIME names another runtime")
	}
	s := &directShim{t: t, bed: d, id: d.UniqueID("direct"), bundle: t.TempDir()}
	dir(t, filepath.Join(s.bundle, "rootfs"))
	// The server logs to a FIFO of the bundle; a file does as well.
	for name, content := range map[string]string{"config.json": spec, "log": ""} {
		if err := os.WriteFile(filepath.Join(s.bundle, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, stderr, err := s.action("delete", nil); err != nil {
			t.Errorf("shim delete: %v, %s", err, stderr)
		}
		checkClean(t, d)
	})
	return s
}

// action runs one of the shim's short-lived actions.
func (s *directShim) action(name string, stdin []byte) (stdout []byte, stderr string, err error) {
	cmd := osexec.Command(s.bed.Programs.Eci, "-namespace", s.bed.Namespace, "-id", s.id, "-address", s.bed.Address, "-bundle", s.bundle, name)
	cmd.Dir = s.bundle
	cmd.Env = append(os.Environ(), "ECI_CONFIG="+s.bed.ConfigFile(), "TTRPC_ADDRESS="+s.bed.Address+".ttrpc", "GRPC_ADDRESS="+s.bed.Address)
	cmd.Stdin = bytes.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err = cmd.Output()
	return stdout, errs.String(), err
}

// start starts the server and connects to it. A refusal is the error.
func (s *directShim) start() (taskapi.TTRPCTaskService, error) {
	sockets := filepath.Join(s.bed.Dir, "s")
	params, err := proto.Marshal(&bootapi.BootstrapParams{
		InstanceID: s.id, Namespace: s.bed.Namespace, SocketDir: &sockets,
		ContainerdGrpcAddress: s.bed.Address, ContainerdTtrpcAddress: s.bed.Address + ".ttrpc",
	})
	if err != nil {
		return nil, err
	}
	out, stderr, err := s.action("start", params)
	if err != nil {
		return nil, fmt.Errorf("%s", stderr)
	}
	if stderr != "" {
		s.t.Errorf("a start that succeeded wrote %q to stderr", stderr)
	}
	var result bootapi.BootstrapResult
	if err := proto.Unmarshal(out, &result); err != nil {
		return nil, err
	}
	conn, err := net.Dial("unix", strings.TrimPrefix(result.Address, "unix://"))
	if err != nil {
		return nil, err
	}
	client := ttrpc.NewClient(conn)
	tasks := taskapi.NewTTRPCTaskClient(client)
	s.t.Cleanup(func() {
		_, _ = tasks.Shutdown(deadline(s.t), &taskapi.ShutdownRequest{ID: s.id, Now: true})
		_ = client.Close()
	})
	return tasks, nil
}

// TestBadInput_SpecIsNotJSON hands the shim bundles without a spec in them.
func TestBadInput_SpecIsNotJSON(t *testing.T) {
	for _, c := range []struct{ name, spec, want string }{
		{"empty", "", "unexpected end of JSON input"},
		{"no JSON", "ociVersion: 1.2.0", "invalid character"},
		{"cut off", `{"ociVersion": "1.2.0", "linux": {`, "unexpected end of JSON input"},
		{"a list", "[]", "cannot unmarshal array"},
		{"wrong type", `{"linux": {"namespaces": 7}}`, "linux.namespaces"},
		{"null", "null", "linux"},
	} {
		t.Run(c.name, func(t *testing.T) {
			shim := newDirectShim(t, c.spec)
			tasks, err := shim.start()
			if err == nil {
				_, err = tasks.Create(deadline(t), &taskapi.CreateTaskRequest{ID: shim.id, Bundle: shim.bundle})
			}
			if err == nil {
				t.Fatal("the task was created")
			}
			for _, want := range []string{"spec", c.want} {
				if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want one line with %s", err, want)
				}
			}
		})
	}
}

// Calls for a container that does not exist are answered, and end nothing.
func TestBadInput_UnknownContainer(t *testing.T) {
	shim := newDirectShim(t, "{}")
	tasks, err := shim.start()
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	for name, call := range map[string]func(context.Context) error{
		"start": func(ctx context.Context) error {
			_, err := tasks.Start(ctx, &taskapi.StartRequest{ID: "x"})
			return err
		},
		"delete": func(ctx context.Context) error {
			_, err := tasks.Delete(ctx, &taskapi.DeleteRequest{ID: "x"})
			return err
		},
		"exec": func(ctx context.Context) error {
			_, err := tasks.Exec(ctx, &taskapi.ExecProcessRequest{ID: "x", ExecID: "y"})
			return err
		},
		"kill": func(ctx context.Context) error { _, err := tasks.Kill(ctx, &taskapi.KillRequest{ID: "x"}); return err },
		"state": func(ctx context.Context) error {
			_, err := tasks.State(ctx, &taskapi.StateRequest{ID: "x"})
			return err
		},
		"update": func(ctx context.Context) error {
			_, err := tasks.Update(ctx, &taskapi.UpdateTaskRequest{ID: "x"})
			return err
		},
		"no exec": func(ctx context.Context) error { _, err := tasks.Exec(ctx, &taskapi.ExecProcessRequest{}); return err },
		"create": func(ctx context.Context) error {
			_, err := tasks.Create(ctx, &taskapi.CreateTaskRequest{ID: shim.id, Bundle: "/eci-no-such"})
			return err
		},
	} {
		if err := call(ctx); err == nil || strings.Contains(fmt.Sprint(err), "closed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tasks.Connect(ctx, &taskapi.ConnectRequest{ID: shim.id}); err != nil && strings.Contains(err.Error(), "closed") {
		t.Errorf("the shim has ended: %v", err)
	}
}
