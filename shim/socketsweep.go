package shim

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// newborn is the age below which a socket is left alone: one that is being made is
// for a moment a file without anybody behind it.
const newborn = 5 * time.Second

// sweepSockets removes sockets from dir that nobody can ever listen on again. A
// server that is killed between its start and containerd's first connection is
// forgotten by containerd, bundle and all; only its socket remains.
//
// The kernel's list of bound sockets tells the dead from the living at the cost of
// one read; as it shows one network namespace only, each is asked before it goes.
func sweepSockets(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return
	}
	bound := boundSockets(string(table))
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Type() == fs.ModeSocket && !bound[path] && isDead(path, e) {
			_ = os.Remove(path)
		}
	}
}

// boundSockets are the paths in the text of /proc/net/unix (proc_net_unix(5)).
func boundSockets(table string) map[string]bool {
	bound := make(map[string]bool)
	for line := range strings.Lines(table) {
		if i := strings.IndexByte(line, '/'); i >= 0 {
			bound[strings.TrimSuffix(line[i:], "\n")] = true
		}
	}
	return bound
}

func isDead(path string, e fs.DirEntry) bool {
	info, err := e.Info()
	if err != nil || time.Since(info.ModTime()) < newborn {
		return false
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}
