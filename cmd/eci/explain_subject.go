package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	runtimeoptions "github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/image"
)

// subject is a container to be, or one that is.
type subject struct {
	spec   *specs.Spec
	bundle string
	rootfs []idmap.Mount
	root   string       // containerd's, where the bundle does not tell
	chosen string       // the configuration that its runtime options name
	query  *image.Query // about its image; nil for a file
}

// engine is the containerd that it belongs to.
func (s *subject) engine() host.Engine {
	socket := ""
	if s.query != nil {
		socket = s.query.Address
	}
	e := host.EngineOf(s.bundle, socket)
	if e.Root == "" {
		e.Root = s.root
	}
	return e
}

// subject finds what the argument of eci explain means: a file, if there is one of
// that name, else a container.
func (a *app) subject(ctx context.Context, in io.Reader, arg string) (*subject, error) {
	if arg == "-" {
		return a.readSubject(in, ".")
	}
	f, err := os.Open(arg)
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(arg, '/') && filepath.Ext(arg) != ".json" {
		return a.containerSubject(ctx, arg)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return a.readSubject(f, filepath.Dir(arg))
}

func (a *app) readSubject(r io.Reader, dir string) (*subject, error) {
	s := &subject{spec: new(specs.Spec)}
	if err := json.NewDecoder(r).Decode(s.spec); err != nil {
		return nil, fmt.Errorf("read the OCI spec: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if s.bundle = dir; strings.Contains(dir, taskDir) {
		return s, nil
	}
	// Nobody else's directory is a bundle, beside which nothing may be mounted.
	s.bundle = filepath.Join(stateDir, taskDir, cmp.Or(a.namespace, namespaces.Default), "example")
	if r := s.spec.Root; r != nil && !filepath.IsAbs(r.Path) {
		r.Path = filepath.Join(dir, r.Path)
	}
	return s, nil
}

// Where containerd keeps bundles: below its state directory, by namespace and id.
const (
	stateDir = "/run/containerd"
	taskDir  = "io.containerd.runtime.v2.task"
)

// containerSubject reads the record of a container.
func (a *app) containerSubject(ctx context.Context, id string) (*subject, error) {
	ctx, cancel := timed(ctx)
	defer cancel()
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	namespace, record, err := a.findContainer(ctx, c, id)
	if err != nil {
		return nil, err
	}
	ctx = namespaces.WithNamespace(ctx, namespace)
	s := &subject{spec: new(specs.Spec), bundle: a.bundle(namespace, record.ID), root: rootOf(ctx, c), chosen: chosenBy(record)}
	if record.Spec == nil {
		return nil, fmt.Errorf("containerd has no spec of the container %s", record.ID)
	}
	if err := json.Unmarshal(record.Spec.GetValue(), s.spec); err != nil {
		return nil, fmt.Errorf("read the OCI spec: %w", err)
	}
	s.query = &image.Query{Address: a.address, Namespace: namespace, Container: record.ID}
	if record.SnapshotKey != "" {
		mounts, err := c.SnapshotService(record.Snapshotter).Mounts(ctx, record.SnapshotKey)
		if err != nil {
			return nil, fmt.Errorf("look up the container's snapshot: %w", err)
		}
		for _, m := range mounts {
			s.rootfs = append(s.rootfs, idmap.Mount{Type: m.Type, Source: m.Source, Options: m.Options})
			s.query.Rootfs = append(s.query.Rootfs, image.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options})
		}
	}
	return s, nil
}

// findContainer looks for an id, or the beginning of one, in the namespace that was
// named or in all of them.
func (a *app) findContainer(ctx context.Context, c *client.Client, id string) (string, containers.Container, error) {
	list := []string{a.namespace}
	if a.namespace == "" {
		var err error
		if list, err = c.NamespaceService().List(ctx); err != nil {
			return "", containers.Container{}, fmt.Errorf("list containerd's namespaces: %w", err)
		}
	}
	type match struct {
		namespace string
		record    containers.Container
	}
	var exact, begun []match
	for _, ns := range list {
		all, err := c.ContainerService().List(namespaces.WithNamespace(ctx, ns))
		if err != nil {
			return "", containers.Container{}, fmt.Errorf("list the containers of %s: %w", ns, err)
		}
		for _, r := range all {
			switch {
			case r.ID == id:
				exact = append(exact, match{ns, r})
			case strings.HasPrefix(r.ID, id):
				begun = append(begun, match{ns, r})
			}
		}
	}
	if len(exact) == 0 {
		exact = begun
	}
	switch len(exact) {
	case 0:
		return "", containers.Container{}, fmt.Errorf("there is no file and no container %q", id)
	case 1:
		return exact[0].namespace, exact[0].record, nil
	}
	var names []string
	for _, m := range exact {
		names = append(names, m.namespace+"/"+m.record.ID)
	}
	slices.Sort(names)
	return "", containers.Container{}, fmt.Errorf("%q is one of %s: write more of it, or name the --namespace", id, strings.Join(names, ", "))
}

// rootOf is containerd's root directory, by one of its stores; empty if it tells none.
func rootOf(ctx context.Context, c *client.Client) string {
	plugins, err := c.IntrospectionService().Plugins(ctx, "type==io.containerd.content.v1")
	if err != nil {
		return ""
	}
	for _, p := range plugins.Plugins {
		if store := p.Exports["root"]; filepath.IsAbs(store) {
			return filepath.Dir(store)
		}
	}
	return ""
}

// bundle is where a container's bundle is, if it runs, or else would be: beside those
// of other containers.
func (a *app) bundle(namespace, id string) string {
	state := stateDir
	if cfg, err := a.source().Load(); err == nil {
		claims, _ := host.Pool(cfg).Claims()
		for _, c := range claims {
			if strings.HasSuffix(c.Owner, "/"+filepath.Join(taskDir, namespace, id)) {
				return c.Owner
			}
			if dir, _, ok := strings.Cut(c.Owner, "/"+taskDir+"/"); ok {
				state = dir
			}
		}
	}
	return filepath.Join(state, taskDir, namespace, id)
}

// chosenBy is the configuration that the runtime options of a container name.
func chosenBy(record containers.Container) string {
	if record.Runtime.Options == nil || record.Runtime.Options.GetTypeUrl() == "" {
		return ""
	}
	v, err := typeurl.UnmarshalAny(record.Runtime.Options)
	if err != nil {
		return ""
	}
	if o, ok := v.(*runtimeoptions.Options); ok {
		return o.GetConfigPath()
	}
	return ""
}
