package shim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/image"
	"github.com/eci-runtime/eci/policy"
)

// imagePatience bounds the search for what a container was made from.
const imagePatience = 15 * time.Second

// imageQuery asks about the root file system of a create request.
func imageQuery(cfg policy.Config, spec *specs.Spec, r *taskapi.CreateTaskRequest) image.Query {
	q := image.Query{Container: r.ID, DockerRoots: image.DockerRoots(cfg)}
	if spec.Root != nil {
		q.Root = host.DirRoot(spec.Root.Path, r.Bundle).Source
	}
	for _, m := range r.Rootfs {
		q.Rootfs = append(q.Rootfs, image.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options})
	}
	return q
}

// findImage finds out what a container was made from, as far as that can be proven.
func findImage(ctx context.Context, host *hostView, q image.Query) policy.Image {
	q.Address = host.containerd
	q.Namespace, _ = namespaces.Namespace(ctx)
	found, err := askImage(host.NS(), q)
	if err != nil {
		return policy.Image{Why: err.Error()}
	}
	return found
}

func askImage(mountNS *os.File, q image.Query) (found policy.Image, err error) {
	question, err := json.Marshal(q)
	if err != nil {
		return found, err
	}
	cmd, err := companionCommand("image")
	if err != nil {
		return found, err
	}
	var answer, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(question), &answer, &complaint
	wait, err := startOnHost(mountNS, cmd)
	if err != nil {
		return found, err
	}
	late := time.AfterFunc(imagePatience, func() { _ = cmd.Process.Kill() })
	status, err := wait()
	if !late.Stop() {
		return found, errors.New("containerd does not answer in time")
	}
	if err != nil {
		return found, fmt.Errorf("wait for %s: %w", cmd.Path, err)
	}
	if status != 0 {
		return found, fmt.Errorf("%s ends with status %d: %s", cmd.Path, status, bytes.TrimSpace(complaint.Bytes()))
	}
	if err := json.Unmarshal(answer.Bytes(), &found); err != nil {
		return found, fmt.Errorf("read the answer of %s: %w", cmd.Path, err)
	}
	return found, nil
}
