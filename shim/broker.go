package shim

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// brokerPatience bounds what a broker takes to begin, and to end.
const brokerPatience = 15 * time.Second

// broker is a process that serves the socket which a container has in place of an
// engine's.
type broker struct {
	process *os.Process
	alive   *os.File      // the broker ends when this is closed, so with the shim at the latest
	ended   chan struct{} // closed when it has
}

// startBroker starts a broker between a listening socket and an engine's, and returns
// when it serves.
func startBroker(mountNS *os.File, log *auditor, commands policy.Commands, listener, engine *os.File) (_ *broker, err error) {
	list, err := json.Marshal(commands)
	if err != nil {
		return nil, err
	}
	auditing, err := json.Marshal(map[string]any{"Audit": log.log.Audit, "Subject": log.subject})
	if err != nil {
		return nil, err
	}
	cmd, err := companionCommand("broker", "--container", log.subject.Container, "--commands", string(list), "--audit", string(auditing))
	if err != nil {
		return nil, err
	}
	lives, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer lives.Close()
	begins, begun, err := os.Pipe()
	if err != nil {
		alive.Close()
		return nil, err
	}
	defer begins.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = lives, begun, os.Stderr // the shim's log
	cmd.ExtraFiles = []*os.File{listener, engine}
	wait, err := startOnHost(mountNS, cmd)
	begun.Close()
	if err != nil {
		alive.Close()
		return nil, err
	}
	b := &broker{process: cmd.Process, alive: alive, ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		_, _ = wait()
	}()
	if err := begins.SetReadDeadline(time.Now().Add(brokerPatience)); err != nil {
		return nil, b.abandon(err)
	}
	if _, err := begins.Read(make([]byte, 1)); err != nil {
		return nil, b.abandon(fmt.Errorf("wait for the broker of an engine's socket: %w", err))
	}
	return b, nil
}

func (b *broker) abandon(err error) error {
	b.Close()
	return err
}

// Close ends the broker, and with it every connection through it.
func (b *broker) Close() {
	b.alive.Close()
	select {
	case <-b.ended:
	case <-time.After(brokerPatience):
		_ = b.process.Kill()
		<-b.ended
	}
}

// mountSocket makes a socket for bind mount i, has a broker serve it, and has put
// mount it where the engine's would be. Without commands the broker passes on
// everything. However often a container has an engine's socket, one broker serves it.
func (b *builder) mountSocket(i int, m specs.Mount, commands policy.Commands, put func(tree *os.File, dir bool) error) error {
	engine := b.opened.Sources[i]
	path, served := b.sockets[policy.FileID{Device: engine.Stat.Dev, Inode: engine.Stat.Ino}]
	if !served {
		var err error
		if path, err = b.serveSocket(i, engine, commands); err != nil {
			return err
		}
	}
	source, err := idmap.OpenSource(nil, path)
	if err != nil {
		return err
	}
	defer source.Close()
	return b.cloneHere(source, volumeAttr(m, false), put)
}

// serveSocket makes the socket, and gives its path.
func (b *builder) serveSocket(i int, engine *idmap.Source, commands policy.Commands) (string, error) {
	dir := filepath.Join(b.stageDir, "nodes") // removed with the stage
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "socket"+strconv.Itoa(i))
	listener, err := b.listen(path, engine.Stat)
	if err != nil {
		return "", fmt.Errorf("make a socket: %w", err)
	}
	defer listener.Close()
	started, err := startBroker(b.host.NS(), b.log, commands, listener, engine.File)
	if err != nil {
		return "", err
	}
	b.brokers = append(b.brokers, started)
	if b.sockets == nil {
		b.sockets = make(map[policy.FileID]string)
	}
	b.sockets[policy.FileID{Device: engine.Stat.Dev, Inode: engine.Stat.Ino}] = path
	return path, nil
}

// listen makes a listening socket at a path of the stage. It belongs to the
// container's root, and to the group of the engine's where the container has that.
func (b *builder) listen(path string, engine linux.Stat) (*os.File, error) {
	dir, err := linux.OpenPath(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	// A path of a socket has 108 bytes at most, unix(7); that of the stage may be longer.
	at := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	gid := engine.GID
	if gid >= b.ids.Size {
		gid = 0
	}
	if err := linux.Chown(nil, path, b.ids.Base, b.ids.Base+gid); err != nil {
		return nil, err
	}
	if err := linux.Chmod(nil, path, 0o660); err != nil {
		return nil, err
	}
	return l.File()
}
