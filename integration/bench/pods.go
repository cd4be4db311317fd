package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/eci-runtime/eci/integration/testbed"
)

// measurePods times what a kubelet asks for, in a bed of its own, whose containerd serves CRI.
func measurePods(ctx context.Context, b *bench, _ []row) (err error) {
	bed, err := testbed.Start(testbed.Options{Tmpfs: b.opts.tmpfs, Bin: b.bin, CRI: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Close()) }()
	image, err := benchImage(ctx)
	if err != nil {
		return err
	}
	if err := bed.ImportPodImages(ctx, image); err != nil {
		return err
	}
	pairs, warm := max(b.opts.pairs/2, 5), 2
	n := 0
	return b.alternate(pairs+warm, func(side int) error {
		n++
		took, err := onePod(ctx, bed, b.sides[side].Runtime, fmt.Sprintf("pod-%d", n))
		if err == nil && n > 2*warm {
			b.add("pod", side, 1, nano(took))
		}
		return err
	})
}

// onePod starts a pod of one container and removes it. The time is that until its container
// runs.
func onePod(ctx context.Context, bed *testbed.Daemon, handler, name string) (took time.Duration, err error) {
	cri := bed.CRI()
	own := &runtimeapi.NamespaceOption{Pid: runtimeapi.NamespaceMode_CONTAINER}
	pod := &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{Name: name, Uid: name, Namespace: "default"},
		Hostname: name,
		Linux: &runtimeapi.LinuxPodSandboxConfig{
			CgroupParent: bed.Cgroup(), SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{NamespaceOptions: own},
		},
	}
	container := &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "idle"},
		Image:    &runtimeapi.ImageSpec{Image: imageName},
		Command:  []string{"sleep", "100000"},
		Linux:    &runtimeapi.LinuxContainerConfig{SecurityContext: &runtimeapi.LinuxContainerSecurityContext{NamespaceOptions: own}},
	}
	start := time.Now()
	sandbox, err := cri.RunPodSandbox(ctx, &runtimeapi.RunPodSandboxRequest{Config: pod, RuntimeHandler: handler})
	if err != nil {
		return 0, err
	}
	id := sandbox.GetPodSandboxId()
	defer func() {
		_, stop := cri.StopPodSandbox(ctx, &runtimeapi.StopPodSandboxRequest{PodSandboxId: id})
		_, remove := cri.RemovePodSandbox(ctx, &runtimeapi.RemovePodSandboxRequest{PodSandboxId: id})
		err = errors.Join(err, stop, remove)
	}()
	made, err := cri.CreateContainer(ctx, &runtimeapi.CreateContainerRequest{PodSandboxId: id, SandboxConfig: pod, Config: container})
	if err == nil {
		_, err = cri.StartContainer(ctx, &runtimeapi.StartContainerRequest{ContainerId: made.GetContainerId()})
	}
	return time.Since(start), err
}
