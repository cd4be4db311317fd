package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/eci-runtime/eci/integration/testbed"
)

// imageName is the busybox image with the workload on top.
const imageName = "eci.test/bench:latest"

func benchImage(ctx context.Context) (testbed.Image, error) {
	image, _, err := testbed.Images(ctx)
	if err != nil {
		return image, err
	}
	program, err := buildWorkload(ctx)
	if err != nil {
		return image, err
	}
	layer, err := testbed.Layer(testbed.File{Path: "workload", Mode: 0o755, Data: program})
	if err != nil {
		return image, err
	}
	image.Name = imageName
	image.Layers = append(image.Layers, layer)
	return image, nil
}

// buildWorkload compiles the program that runs inside and returns it.
func buildWorkload(ctx context.Context) ([]byte, error) {
	root, err := testbed.Checkout()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "eci-workload-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "workload")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./integration/bench/workload")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the workload: %w: %s", err, out)
	}
	return os.ReadFile(path)
}
