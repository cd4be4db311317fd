package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// notify is a socket to which a container's systemd says how far it is; sd_notify(3).
type notify struct {
	dir  string // holds the file "socket"
	conn *net.UnixConn
}

func newNotify(dir string) (*notify, error) {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	n := &notify{dir: dir, conn: conn}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

// await returns when a line of a message begins with start, or with an error at the deadline.
func (n *notify) await(deadline time.Time, start string) error {
	if err := n.conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	last := ""
	for buf := make([]byte, 4096); ; {
		size, err := n.conn.Read(buf)
		if err != nil {
			return fmt.Errorf("wait for %q of systemd, which said %q: %w", start, last, err)
		}
		last = string(buf[:size])
		for said := range strings.Lines(last) {
			if strings.HasPrefix(said, start) {
				return nil
			}
		}
	}
}

func (n *notify) close() error { return errors.Join(n.conn.Close(), os.RemoveAll(n.dir)) }
