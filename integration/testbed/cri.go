package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// podBridge is the network of pods on a bridge, with the plug-ins that clusters have.
const podBridge = `{"cniVersion": "1.0.0", "name": "eci", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}
  %s]}`

// portMap is one more of them. It writes rules for the bed's network, with programs that
// not every machine has.
const portMap = `, {"type": "portmap", "backend": "nftables", "capabilities": {"portMappings": true}}`

// HasPortMap tells whether ports of pods can be ports of the bed's network, too.
func HasPortMap() bool {
	_, err := exec.LookPath("nft")
	return err == nil
}

// network is the pods', as a list of CNI plug-ins.
func (d *Daemon) network() string {
	if !d.opts.Bridge {
		return `{"cniVersion": "1.0.0", "name": "eci", "plugins": [{"type": "eci-nothing"}]}`
	}
	more := ""
	if HasPortMap() {
		more = portMap
	}
	return fmt.Sprintf(podBridge, d.path("ipam"), more)
}

// Handlers of the bed's CRI: this project's runtime in three ways of configuring it, and runc.
const (
	HandlerPath    = "eci"         // by runtime_path, with options
	HandlerType    = "eci-type"    // by runtime_type, without
	HandlerOptions = "eci-options" // by runtime_type, with: pods with hostUsers: false fail in CRI
	HandlerRunc    = "runc"
)

// criConfig is the part of containerd's configuration that is about CRI.
func (d *Daemon) criConfig() (string, error) {
	dir := d.path("cni")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "10-eci.conflist"), []byte(d.network()), 0o600),
		os.WriteFile(filepath.Join(dir, "eci-nothing"), []byte(podNetwork), 0o755),
	)
	for _, plugin := range []string{"loopback", "bridge", "host-local", "portmap"} {
		err = errors.Join(err, os.Symlink(filepath.Join(d.Programs.Dir, "cni", plugin), filepath.Join(dir, plugin)))
	}
	if err != nil {
		return "", err
	}
	config := fmt.Sprintf(`
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  disable_tcp_service = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = %q
`, PauseName, dir, dir, HandlerPath)
	for _, h := range []struct{ name, kind, path, root string }{
		{HandlerPath, "io.containerd.runc.v2", d.Programs.Eci, d.RuncRoot()},
		{HandlerType, "io.containerd.eci.v2", "", ""},
		{HandlerOptions, "io.containerd.eci.v2", "", d.RuncRoot()},
		{HandlerRunc, "io.containerd.runc.v2", "", d.RuncRoot()},
	} {
		table := fmt.Sprintf(`[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.%s`, h.name)
		config += fmt.Sprintf("    %s]\n      runtime_type = %q\n      runtime_path = %q\n", table, h.kind, h.path)
		config += "      pod_annotations = [\"eci.containerd.io/*\"]\n      container_annotations = [\"eci.containerd.io/*\"]\n"
		if h.root != "" {
			config += fmt.Sprintf("      %s.options]\n        Root = %q\n", table, h.root)
		}
	}
	return config, nil
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
