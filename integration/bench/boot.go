package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/eci-runtime/eci/integration/testbed"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// bootTime is the time from the client's first request until the boot of systemd is over, in
// nanoseconds, by the time that systemd itself has noted. Nothing else runs in the container
// until it is: it is asked a second after it has said that it answers.
func (b *bench) bootTime(ctx context.Context, side int) (_ float64, err error) {
	n, err := newNotify(filepath.Join(b.bed.Dir, "notify"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.close()) }()
	c := b.system(side, "/sbin/init")
	c.Env = append(c.Env, "container=oci", "NOTIFY_SOCKET=/notify/socket")
	c.Mounts = []specs.Mount{
		testbed.Bind(n.dir, "/notify"),
		{Type: "tmpfs", Source: "tmpfs", Destination: "/run/lock", Options: []string{"nosuid", "nodev", "noexec", "mode=1777", "size=5m"}},
	}
	start := time.Now()
	t, err := b.bed.Start(ctx, c)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, t.Delete(ctx)) }()
	if err := n.await(start.Add(2*time.Minute), "READY=1"); err != nil {
		return 0, err
	}
	rest(ctx, time.Second)
	result, err := t.Exec(ctx, "sh", "-c", "systemctl is-system-running --wait; systemctl show -p FinishTimestamp --value --timestamp=us+utc; systemctl --failed --no-legend --plain")
	if err != nil {
		return 0, err
	}
	finish, err := parseBoot(result.Stdout)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, result.Stderr)
	}
	return nano(finish.Sub(start)), nil
}

// parseBoot reads systemd's state, which must be running, and when it got there.
func parseBoot(said string) (time.Time, error) {
	state, rest, _ := strings.Cut(said, "\n")
	if state != "running" {
		return time.Time{}, fmt.Errorf("systemd says %q", said)
	}
	finish, _, _ := strings.Cut(rest, "\n")
	return time.Parse("Mon 2006-01-02 15:04:05 MST", finish)
}
