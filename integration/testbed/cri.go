package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"google.golang.org/grpc"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// criNamespace is where the CRI plugin keeps its images and containers.
const criNamespace = "k8s.io"

// PauseName is the image of pods' first containers; it sleeps.
const PauseName = "eci.test/pause:latest"

// podNetwork is a CNI plug-in that leaves a pod with its loopback interface, and says that
// it has one more. So nothing of the host's network is touched.
const podNetwork = `#!/bin/sh
[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion": "1.0.0", "supportedVersions": ["1.0.0"]}'
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion": "1.0.0", "interfaces": [{"name": "'$CNI_IFNAME'", "sandbox": "'$CNI_NETNS'"}], "ips": [{"address": "192.0.2.2/24", "interface": 0}]}'
exit 0
`

// criConfig is the part of containerd's configuration that is about CRI, with one runtime,
// in the way that works with hostUsers: false.
func (d *Daemon) criConfig() (string, error) {
	dir := d.path("cni")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	const network = `{"cniVersion": "1.0.0", "name": "eci", "plugins": [{"type": "eci-nothing"}]}`
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "10-eci.conflist"), []byte(network), 0o600),
		os.WriteFile(filepath.Join(dir, "eci-nothing"), []byte(podNetwork), 0o755),
		os.Symlink(filepath.Join(d.Programs.Dir, "cni/loopback"), filepath.Join(dir, "loopback")),
	)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  disable_tcp_service = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "eci"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.eci]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = %q
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.eci.options]
        Root = %q
`, PauseName, dir, dir, d.Programs.Eci, d.RuncRoot()), nil
}

// CRI is the service that a kubelet speaks to.
func (d *Daemon) CRI() runtimeapi.RuntimeServiceClient {
	return runtimeapi.NewRuntimeServiceClient(d.client.Conn().(grpc.ClientConnInterface))
}

// ImportPodImages brings an image into the namespace of CRI, under its own name and, made
// to sleep, as that of pods' first containers.
func (d *Daemon) ImportPodImages(ctx context.Context, image Image) error {
	pause := image
	pause.Name, pause.Config.Cmd = PauseName, []string{"sleep", "100000"}
	images := runtimeapi.NewImageServiceClient(d.client.Conn().(grpc.ClientConnInterface))
	for _, i := range []Image{image, pause} {
		if err := d.importInto(namespaces.WithNamespace(ctx, criNamespace), i); err != nil {
			return err
		}
		// CRI learns of it by an event.
		err := poll(ctx, func() (bool, error) {
			status, err := images.ImageStatus(ctx, &runtimeapi.ImageStatusRequest{Image: &runtimeapi.ImageSpec{Image: i.Name}})
			return status.GetImage() != nil, err
		})
		if err != nil {
			return fmt.Errorf("wait for %s in CRI: %w", i.Name, err)
		}
	}
	return nil
}
