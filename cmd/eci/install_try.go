package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
)

// tryNamespace is containerd's namespace for the container that eci install starts.
const tryNamespace = "eci-install"

// tryContainerd starts a container in a namespace of its own, shows its first process to
// look, and removes all of it.
func (a *app) tryContainerd(ctx context.Context, runtime string, root []byte, look func(pid int) error) (err error) {
	const name = "eci.local/install:latest"
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx = namespaces.WithNamespace(ctx, tryNamespace)
	defer func() { err = errors.Join(err, clearTry(context.WithoutCancel(ctx), c)) }()
	if err := clearTry(ctx, c); err != nil { // of one that was interrupted
		return err
	}
	archive, err := imageTar(name, root)
	if err != nil {
		return err
	}
	if _, err := c.Import(ctx, bytes.NewReader(archive)); err != nil {
		return fmt.Errorf("import an image: %w", err)
	}
	image, err := c.GetImage(ctx, name)
	if err != nil {
		return err
	}
	if err := image.Unpack(ctx, ""); err != nil {
		return fmt.Errorf("unpack an image: %w", err)
	}
	id := fmt.Sprintf("eci-install-%d", os.Getpid())
	container, err := c.NewContainer(ctx, id, client.WithImage(image), client.WithNewSnapshot(id, image),
		client.WithNewSpec(oci.WithImageConfig(image)), client.WithRuntime(runtime, nil))
	if err != nil {
		return err
	}
	task, err := container.NewTask(ctx, cio.NullIO)
	if err != nil {
		return err
	}
	if err := task.Start(ctx); err != nil {
		return err
	}
	if err := look(int(task.Pid())); err != nil {
		return err
	}
	status, err := task.Status(ctx)
	if err != nil {
		return err
	}
	if status.Status != client.Running {
		return fmt.Errorf("it has ended with status %d", status.ExitStatus)
	}
	return nil
}

// clearTry removes what is in the namespace, and the namespace.
func clearTry(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	containers, err := c.Containers(ctx)
	if err != nil {
		return err
	}
	for _, found := range containers {
		if task, err := found.Task(ctx, nil); err == nil {
			if _, err := task.Delete(ctx, client.WithProcessKill); err != nil && !errdefs.IsNotFound(err) {
				return err
			}
		}
		if err := found.Delete(ctx, client.WithSnapshotCleanup); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}
	list, err := c.ImageService().List(ctx)
	if err != nil {
		return err
	}
	for _, image := range list {
		if err := c.ImageService().Delete(ctx, image.Name, images.SynchronousDelete()); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
	}
	// runc leaves the directory of a namespace, which is empty.
	_ = os.Remove(filepath.Join("/run/containerd/runc", tryNamespace))
	for {
		err := c.NamespaceService().Delete(ctx, tryNamespace)
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !errdefs.IsFailedPrecondition(err) { // what is in it is collected in a moment
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove containerd's namespace %s: %w", tryNamespace, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
