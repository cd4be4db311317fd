package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/engine"
	"github.com/eci-runtime/eci/policy"
)

// pinOptions are the flags of eci policy pin.
type pinOptions struct {
	add, remove, list bool
	docker            string
}

func newPinCommand(a *app) *cobra.Command {
	var o pinOptions
	cmd := &cobra.Command{
		Use:   "pin [--add | --remove] IMAGE... | --list",
		Short: "bind names of images to their content",
		Long: `pin looks up what images are made of at this moment, and writes it to images.lock
beside the configuration. A name in sockets.images stands for that content from then
on: whoever moves the name in an engine to another image gains nothing by it, and a new
version of an image has to be pinned before it may have an engine's socket.

An image is looked for in containerd, in the namespace that --namespace names or else in
default, moby and k8s.io, and in Docker, if it listens at --docker-socket. All that have
the name must mean the same content by it; else say which one counts.`,
		Example: `  eci policy pin docker:cli
  eci policy pin --namespace k8s.io registry.example.com/ci/runner:v3
  eci policy pin --list
  eci policy pin --remove docker:cli`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.list && len(args) == 0:
				return a.listPins()
			case o.list || len(args) == 0:
				return errors.New("name images, or use --list")
			case o.remove:
				return a.removePins(args)
			}
			return a.addPins(cmd.Context(), o, args)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.add, "add", false, "keep what the name was pinned to before, as well")
	flags.BoolVar(&o.remove, "remove", false, "forget the images")
	flags.BoolVar(&o.list, "list", false, "print what is pinned")
	flags.StringVar(&o.docker, "docker-socket", "/run/docker.sock", "socket of Docker; empty: do not ask it")
	cmd.MarkFlagsMutuallyExclusive("add", "remove", "list")
	return cmd
}

// lockFile is the path of the pins.
func (a *app) lockFile() string {
	main, _ := a.source().MainFile()
	return filepath.Join(filepath.Dir(main), "images.lock")
}

func (a *app) readPins() ([]policy.Pin, error) {
	data, err := os.ReadFile(a.lockFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the pins: %w", err)
	}
	return policy.ParsePins(a.lockFile(), data)
}

// writePins replaces the file, whole or not at all: the runtime reads it at any time.
func (a *app) writePins(pins []policy.Pin) error {
	path := a.lockFile()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the pins: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".images.lock-*")
	if err != nil {
		return fmt.Errorf("write the pins: %w", err)
	}
	defer os.Remove(next.Name())
	_, err = next.Write(policy.FormatPins(pins))
	if err = errors.Join(err, next.Chmod(0o644), next.Sync(), next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the pins: %w", err)
	}
	return nil
}

func (a *app) listPins() error {
	pins, err := a.readPins()
	if err != nil {
		return err
	}
	return a.printPins(pins)
}

func (a *app) printPins(pins []policy.Pin) error {
	if a.json {
		return a.printJSON(pins)
	}
	for _, p := range pins {
		if _, err := fmt.Fprintf(a.out, "%s\n  digest  %s\n  chain   %s\n", p.Name, p.Digest, p.Chain); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) removePins(names []string) error {
	pins, err := a.readPins()
	if err != nil {
		return err
	}
	for _, name := range names {
		full, err := engine.FullName(name)
		if err != nil {
			return err
		}
		n := len(pins)
		pins = slices.DeleteFunc(pins, func(p policy.Pin) bool { return p.Name == full })
		if len(pins) == n {
			return fmt.Errorf("%s is not pinned", full)
		}
	}
	return a.writePins(pins)
}

func (a *app) addPins(ctx context.Context, o pinOptions, names []string) error {
	pins, err := a.readPins()
	if err != nil {
		return err
	}
	var found []policy.Pin
	for _, name := range names {
		full, err := engine.FullName(name)
		if err != nil {
			return err
		}
		pin, err := a.resolve(ctx, o, full)
		if err != nil {
			return err
		}
		found = append(found, pin)
		pins = slices.DeleteFunc(pins, func(p policy.Pin) bool { return p.Name == full && !o.add || p == pin })
		pins = append(pins, pin)
	}
	slices.SortStableFunc(pins, func(x, y policy.Pin) int { return strings.Compare(x.Name, y.Name) })
	if err := a.writePins(pins); err != nil {
		return err
	}
	return a.printPins(found)
}

// resolve asks every engine what a name means.
func (a *app) resolve(ctx context.Context, o pinOptions, name string) (policy.Pin, error) {
	var asked []string
	var known policy.Pin
	var at string
	ask := func(where string, resolve func() (policy.Pin, error)) error {
		asked = append(asked, where)
		pin, err := resolve()
		switch {
		case errors.Is(err, engine.ErrNoImage):
			return nil
		case err != nil:
			return err
		case known.Chain != "" && known.Chain != pin.Chain:
			return fmt.Errorf("%s is one image in %s and another one in %s: say which, with --namespace or --docker-socket", name, at, where)
		case known.Chain == "":
			known, at = pin, where
		}
		return nil
	}
	if _, err := os.Stat(a.address); err == nil {
		for _, ns := range a.pinNamespaces() {
			c, err := engine.DialContainerd(a.address, ns)
			if err != nil {
				return known, err
			}
			err = ask("containerd's namespace "+ns, func() (policy.Pin, error) { return c.Resolve(ctx, name) })
			_ = c.Close()
			if err != nil {
				return known, err
			}
		}
	}
	if _, err := os.Stat(o.docker); err == nil && a.namespace == "" {
		err := ask("docker", func() (policy.Pin, error) { return engine.Docker{Address: o.docker}.Resolve(ctx, name) })
		if err != nil {
			return known, err
		}
	}
	switch {
	case len(asked) == 0:
		return known, fmt.Errorf("there is no engine to ask: neither %s nor %s exists", a.address, o.docker)
	case known.Chain == "":
		return known, fmt.Errorf("%s is not there: looked in %s", name, strings.Join(asked, ", "))
	}
	return known, nil
}

// pinNamespaces are those of containerd in which an image is looked for.
func (a *app) pinNamespaces() []string {
	if a.namespace != "" {
		return []string{a.namespace}
	}
	return []string{"default", "moby", "k8s.io"}
}
