package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/policy"
)

// bench is what the probes of eci check share.
type bench struct {
	app *app

	source conf.Source
	cfg    policy.Config // the defaults, if the configuration is not valid
	cfgErr error

	pid int // of containerd; 0 if there is none
	env map[string]string
}

func newBench(a *app) *bench {
	b := &bench{app: a, source: a.source()}
	if b.cfg, b.cfgErr = b.source.Load(); b.cfgErr != nil {
		b.cfg = policy.Default()
	}
	if b.pid = peer(a.address); b.pid > 0 {
		b.env = environ(b.pid)
	}
	return b
}

// source is where the configuration is.
func (a *app) source() conf.Source { return conf.Source{Main: a.config} }

// peer is the process that listens at a socket; 0 if there is none.
func peer(address string) int {
	conn, err := net.DialTimeout("unix", address, 5*time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}

// environ is the environment with which a process was started.
func environ(pid int) map[string]string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return nil
	}
	env := map[string]string{}
	for kv := range bytes.SplitSeq(data, []byte{0}) {
		if key, value, ok := strings.Cut(string(kv), "="); ok {
			env[key] = value
		}
	}
	return env
}

// path is the PATH in which containerd looks for programs, and so does the runtime.
func (b *bench) path() string {
	if b.env["PATH"] != "" {
		return b.env["PATH"]
	}
	return os.Getenv("PATH")
}

// dirsOfPath is path for people: it can be wrapped.
func (b *bench) dirsOfPath() string { return strings.Join(filepath.SplitList(b.path()), " ") }

// find looks for a program where containerd would.
func (b *bench) find(name string) string {
	for _, dir := range filepath.SplitList(b.path()) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// ok is a finding without a complaint.
func ok(what, format string, args ...any) []finding {
	return []finding{{What: what, State: fine, Found: fmt.Sprintf(format, args...)}}
}

// timed bounds a question to a program or a daemon.
func timed(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 10*time.Second)
}
