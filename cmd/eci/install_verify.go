package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// dump is what containerd makes of its configuration: with what it imports, its defaults, and
// everything brought to its newest version.
func (c *containerdPlan) dump(ctx context.Context) (map[string]any, error) {
	config := c.config
	if info, err := os.Stat(config); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		config = os.DevNull // its defaults
	}
	cmd := exec.CommandContext(ctx, c.program, "--config", config, "config", "dump")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		return nil, fmt.Errorf("containerd cannot read its configuration %s: %w: %s", c.config, err, lines[len(lines)-1])
	}
	var tables map[string]any
	if err := toml.Unmarshal(out.Bytes(), &tables); err != nil {
		return nil, fmt.Errorf("read the answer of containerd config dump: %w", err)
	}
	return tables, nil
}

// verify asks containerd whether it understands what was written, before it is restarted: it
// has to have our handler, and everything else as before.
func (p *plan) verify(ctx context.Context) error {
	c := p.containerd
	if c == nil || !c.edited {
		return nil
	}
	ctx, cancel := timed(ctx)
	defer cancel()
	after, err := c.dump(ctx)
	if err != nil {
		return err
	}
	taken := takeHandler(after)
	if path, _ := taken["runtime_path"].(string); path != p.shim {
		return errors.New("containerd does not see the runtime handler in its configuration")
	}
	takeHandler(c.before)
	for _, tables := range []map[string]any{c.before, after} {
		delete(tables, "imports")
	}
	if key := different(c.before, after); key != "" {
		return fmt.Errorf("containerd would read %s of its configuration otherwise than before", key)
	}
	return nil
}

// takeHandler takes our handler out of a configuration.
func takeHandler(tables map[string]any) map[string]any {
	runtimes := runtimesOf(tables)
	handler, _ := runtimes[handlerName].(map[string]any)
	delete(runtimes, handlerName)
	return handler
}

// runtimesOf are the handlers of the CRI plugin.
func runtimesOf(tables map[string]any) map[string]any {
	plugins, _ := tables["plugins"].(map[string]any)
	for _, name := range []string{"io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"} {
		value := any(plugins[name])
		for _, key := range []string{"containerd", "runtimes"} {
			table, _ := value.(map[string]any)
			value = table[key]
		}
		if runtimes, ok := value.(map[string]any); ok {
			return runtimes
		}
	}
	return nil
}

// different is a key at which two configurations differ, "" if there is none.
func different(a, b map[string]any) string {
	for key, x := range a {
		y, ok := b[key]
		one, isTable := x.(map[string]any)
		two, _ := y.(map[string]any)
		switch {
		case !ok:
			return key
		case isTable && two != nil:
			if inner := different(one, two); inner != "" {
				return key + "." + inner
			}
		case !reflect.DeepEqual(x, y):
			return key
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			return key
		}
	}
	return ""
}
