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

// directShim starts the built shim as containerd does, for a bundle of the
// test's own, and connects to it. This reaches what containerd keeps from a shim:
// it reads the spec first, and refuses one that is not JSON itself.
func directShim(t *testing.T, d *testbed.Daemon, id, spec string) (bundle string, tasks taskapi.TTRPCTaskService) {
	t.Helper()
	if runtimeName != "eci" {
		t.Skip("starts containerd-shim-eci-v2 itself, and ECI_TEST_RUNTIME names another runtime")
	}
	bundle = filepath.Join(t.TempDir(), id)
	dir(t, filepath.Join(bundle, "rootfs"))
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	sockets := filepath.Join(d.Dir, "s")
	params, err := proto.Marshal(&bootapi.BootstrapParams{
		InstanceID: id, Namespace: d.Namespace, SocketDir: &sockets,
		ContainerdGrpcAddress: d.Address, ContainerdTtrpcAddress: d.Address + ".ttrpc",
	})
	if err != nil {
		t.Fatal(err)
	}
	shim := func(action string, stdin []byte) []byte {
		cmd := osexec.Command(d.Programs.Eci, "-namespace", d.Namespace, "-id", id, "-address", d.Address, "-bundle", bundle, action)
		cmd.Dir = bundle
		cmd.Env = append(os.Environ(), "ECI_CONFIG="+d.ConfigFile(), "TTRPC_ADDRESS="+d.Address+".ttrpc", "GRPC_ADDRESS="+d.Address)
		cmd.Stdin = bytes.NewReader(stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || (action == "start" && stderr.Len() > 0) {
			t.Fatalf("shim %s: %v, stderr %q", action, err, &stderr)
		}
		return out
	}
	// The server logs to a FIFO of the bundle; a file does as well.
	if err := os.WriteFile(filepath.Join(bundle, "log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var result bootapi.BootstrapResult
	if err := proto.Unmarshal(shim("start", params), &result); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", strings.TrimPrefix(result.Address, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	client := ttrpc.NewClient(conn)
	t.Cleanup(func() {
		_, _ = taskapi.NewTTRPCTaskClient(client).Shutdown(deadline(t), &taskapi.ShutdownRequest{ID: id, Now: true})
		_ = client.Close()
		shim("delete", nil)
		checkClean(t, d)
	})
	return bundle, taskapi.NewTTRPCTaskClient(client)
}

// TestBadInput_SpecIsNotJSON hands the shim bundles without a spec in them.
func TestBadInput_SpecIsNotJSON(t *testing.T) {
	d := bed(t)
	for _, c := range []struct{ name, spec, want string }{
		{"empty", "", "unexpected end of JSON input"},
		{"no JSON", "ociVersion: 1.2.0", "invalid character"},
		{"cut off", `{"ociVersion": "1.2.0", "linux": {`, "unexpected end of JSON input"},
		{"a list", "[]", "cannot unmarshal array"},
		{"wrong type", `{"linux": {"namespaces": 7}}`, "linux.namespaces"},
		{"null", "null", "linux"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := d.UniqueID("direct")
			bundle, tasks := directShim(t, d, id, c.spec)
			_, err := tasks.Create(deadline(t), &taskapi.CreateTaskRequest{ID: id, Bundle: bundle})
			if err == nil {
				t.Fatal("the task was created")
			}
			for _, want := range []string{"error in the container spec: ", c.want} {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want one line with %s", err, want)
				}
			}
		})
	}
}

// Calls for a container that does not exist are answered, and end nothing.
func TestBadInput_UnknownContainer(t *testing.T) {
	d := bed(t)
	id := d.UniqueID("direct")
	_, tasks := directShim(t, d, id, "{}")
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
			_, err := tasks.Create(ctx, &taskapi.CreateTaskRequest{ID: id, Bundle: "/eci-no-such"})
			return err
		},
	} {
		if err := call(ctx); err == nil || strings.Contains(fmt.Sprint(err), "closed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tasks.Connect(ctx, &taskapi.ConnectRequest{ID: id}); err != nil && strings.Contains(err.Error(), "closed") {
		t.Errorf("the shim has ended: %v", err)
	}
}
