package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// reloads is how a service of systemd is told to read its configuration again, and what to do
// where there is no systemd. Containers live on: those of containerd have shims, and Docker
// reads runtimes without a restart.
var reloads = map[string]struct{ unit, action, else_ string }{
	"containerd": {"containerd.service", "restart", "restart containerd; its containers live on"},
	"docker":     {"docker.service", "reload", "send SIGHUP to dockerd (kill -HUP $(pidof dockerd)); nothing is interrupted"},
}

// reload has daemons read their configuration again, or says what to do.
func (a *app) reload(ctx context.Context, i ink, f installFlags, engines []string) error {
	for _, name := range engines {
		r := reloads[name]
		if f.noRestart || !hasSystemd() || !active(ctx, r.unit) {
			if !a.json {
				i.para(0, name+": ", "", r.else_)
			}
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		out, err := exec.CommandContext(ctx, "systemctl", r.action, r.unit).CombinedOutput()
		cancel()
		if err != nil {
			return fmt.Errorf("systemctl %s %s: %w: %s", r.action, r.unit, err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "; "))
		}
		if !a.json {
			i.para(0, name+": ", "", "systemctl "+r.action+" "+r.unit)
		}
	}
	return nil
}

// hasSystemd is sd_booted(3).
func hasSystemd() bool {
	_, err := os.Lstat("/run/systemd/system")
	return err == nil
}

func active(ctx context.Context, unit string) bool {
	return exec.CommandContext(ctx, "systemctl", "--quiet", "is-active", unit).Run() == nil
}
