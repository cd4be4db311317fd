package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/eci-runtime/eci/policy"
)

// Limits of a single connection. How many there can be is the caller's to limit, by
// RLIMIT_NOFILE: one that is copied by the kernel takes six descriptors, an idle one
// takes one.
const (
	maxHeader  = 256 << 10 // credentials for a build are in a header
	headerTime = time.Minute
	idleTime   = 10 * time.Minute
)

// Config says between whom a broker stands.
type Config struct {
	// Listener is the container's socket, which listens.
	Listener *os.File

	// Engine is the engine's socket, opened with O_PATH. It has to stay open as long as
	// there are connections.
	Engine *os.File

	// Commands are what may be asked for. Without a type, bytes are passed on
	// whatever they say, for an engine of any kind.
	Commands policy.Commands

	// Refused is told the first refusal of each command; nil: nobody.
	Refused func(command, why string)
}

// Serve serves until ctx ends. Connections that are open then live on.
func Serve(ctx context.Context, cfg Config) error {
	l, err := net.FileListener(cfg.Listener)
	if err != nil {
		return fmt.Errorf("serve the container's socket: %w", err)
	}
	defer l.Close()
	socket, ok := l.(*net.UnixListener)
	if !ok {
		return errors.New("serve the container's socket: it is no unix socket")
	}
	socket.SetUnlinkOnClose(false) // it is the shim's
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	to := newEngine(cfg.Engine)
	if cfg.Commands.Type == "" {
		err = to.relayAll(socket)
	} else {
		err = serveHTTP(socket, &broker{engine: to, commands: cfg.Commands, refused: cfg.Refused})
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func serveHTTP(l *net.UnixListener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		// What a client does wrong is not for the host's log.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	return server.Serve(l)
}

// relayAll joins every connection with one to the engine.
func (e engine) relayAll(l *net.UnixListener) error {
	for {
		client, err := l.AcceptUnix()
		var temporary interface{ Temporary() bool }
		if errors.As(err, &temporary) && temporary.Temporary() {
			time.Sleep(10 * time.Millisecond) // no descriptor is free
			continue
		}
		if err != nil {
			return err
		}
		go e.relay(client)
	}
}

func (e engine) relay(client *net.UnixConn) {
	defer client.Close()
	conn, err := e.dial()
	if err != nil {
		return
	}
	defer conn.Close()
	join(client, nil, conn, nil)
}
