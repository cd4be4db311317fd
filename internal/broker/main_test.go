package broker

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/policy"
)

// childEnv has the test binary be an engine or a broker: who shares a process with
// its client also shares a scheduler with it.
const childEnv = "ECI_TEST_CHILD"

func TestMain(m *testing.M) {
	switch what, config, _ := strings.Cut(os.Getenv(childEnv), " "); what {
	case "engine":
		l, err := net.FileListener(os.NewFile(3, "listener"))
		if err == nil {
			err = http.Serve(l, http.HandlerFunc(streamBytes))
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case "broker":
		cfg := Config{Listener: os.NewFile(3, "listener"), Engine: os.NewFile(4, "engine")}
		err := json.Unmarshal([]byte(config), &cfg.Commands)
		if err == nil {
			err = Serve(context.Background(), cfg)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child starts the test binary as something else, with files from descriptor 3 on.
func child(tb testing.TB, what string, files ...*os.File) {
	tb.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+what)
	cmd.ExtraFiles = files
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// brokerChild starts a broker in front of an engine's socket, and gives its own.
func brokerChild(tb testing.TB, engine string, commands policy.Commands) string {
	tb.Helper()
	socket := filepath.Join(tb.TempDir(), "s")
	config, err := json.Marshal(commands)
	if err != nil {
		tb.Fatal(err)
	}
	child(tb, "broker "+string(config), listen(tb, socket), openSocket(tb, engine))
	return socket
}

// listen makes a socket that listens.
func listen(tb testing.TB, path string) *os.File {
	tb.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

// openSocket opens a socket as the shim does.
func openSocket(tb testing.TB, path string) *os.File {
	tb.Helper()
	f, err := os.OpenFile(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

func dial(tb testing.TB, path string) *net.UnixConn {
	tb.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// streamSize is how much streamBytes sends.
const streamSize = 1 << 30

// streamBytes is an engine that answers with a stream: hijacked for a POST, chunked
// for a GET. With the header Unpack it does meanwhile what an engine does with a layer
// that it pulls or saves: it decompresses and hashes it.
func streamBytes(w http.ResponseWriter, r *http.Request) {
	var to io.Writer = w
	if r.Method == http.MethodPost {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		to = conn
	}
	var from io.Reader = zeros{}
	if r.Header.Get("Unpack") != "" {
		layer, err := gzip.NewReader(&compressedLayer{})
		if err != nil {
			panic(err)
		}
		from = io.TeeReader(layer, sha256.New())
	}
	_, _ = io.CopyBuffer(struct{ io.Writer }{to}, io.LimitReader(from, streamSize), make([]byte, 32<<10))
}

// zeros has as many as somebody wants.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// compressedLayer is a layer without an end, of pieces that shrink to a half.
type compressedLayer struct{ rest []byte }

func (l *compressedLayer) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		l.rest = compressedPiece()
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

var compressedPiece = sync.OnceValue(func() []byte {
	piece := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range piece {
		piece[i] = "0123456789abcdef"[random.IntN(16)]
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(piece)
	_ = z.Close()
	return out.Bytes()
})
