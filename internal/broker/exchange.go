package broker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// engine is an engine's socket, opened with O_PATH. connect(2) follows the link that
// procfs has for a descriptor: to what was opened, whatever stands at its path by now.
type engine struct {
	socket *os.File // keeps path alive
	path   string
}

func newEngine(socket *os.File) engine {
	return engine{socket, fmt.Sprintf("/proc/self/fd/%d", socket.Fd())}
}

func (e engine) dial() (*net.UnixConn, error) {
	return net.DialUnix("unix", nil, &net.UnixAddr{Name: e.path, Net: "unix"})
}

// exchange sends a request to the engine and brings back the answer.
func (e engine) exchange(w http.ResponseWriter, r, out *http.Request) {
	conn, err := e.dial()
	if err != nil {
		refuse(w, http.StatusBadGateway, "the engine cannot be reached: "+err.Error())
		return
	}
	defer conn.Close()
	// A client that goes away ends its request, as if it were connected itself.
	defer context.AfterFunc(r.Context(), func() { conn.Close() })()

	// The answer may come before the body has been sent, and while it is.
	sent := make(chan error, 1)
	go func() { sent <- out.Write(conn) }()
	if out.Body != http.NoBody {
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	from := bufio.NewReader(conn)
	res, err := readAnswer(from, out)
	switch {
	case err != nil:
		refuse(w, http.StatusBadGateway, "the engine gives no answer: "+err.Error())
	case res.StatusCode == http.StatusSwitchingProtocols && out.Header.Get("Upgrade") == "":
		refuse(w, http.StatusBadGateway, "the engine switches protocols, which nobody asked for")
	case res.StatusCode == http.StatusSwitchingProtocols:
		<-sent
		connect(w, res, from, conn)
		return
	case isLong(res) && out.Body == http.NoBody && r.ProtoAtLeast(1, 1):
		<-sent
		stream(w, res, from, conn)
		return
	default:
		copyAnswer(w, res)
	}
	settle(w, sent)
}

// readAnswer reads the head of the answer, after those that only announce one.
func readAnswer(from *bufio.Reader, out *http.Request) (*http.Response, error) {
	for {
		res, err := http.ReadResponse(from, out)
		if err != nil || res.StatusCode >= http.StatusOK || res.StatusCode == http.StatusSwitchingProtocols {
			return res, err
		}
	}
}

// longAnswer is from how many bytes on an answer is copied by the kernel, which costs
// its client a new connection for the next request.
const longAnswer = 64 << 10

// isLong tells whether an answer may have a long body.
func isLong(res *http.Response) bool {
	return res.Body != http.NoBody && (res.ContentLength < 0 || res.ContentLength >= longAnswer)
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copyAnswer writes an answer through Go's server, every piece at once.
func copyAnswer(w http.ResponseWriter, res *http.Response) {
	maps.Copy(w.Header(), passOn(res.Header))
	if res.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	w.WriteHeader(res.StatusCode)
	flush := http.NewResponseController(w).Flush
	_ = flush()
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := res.Body.Read(buf[:])
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
			_ = flush()
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the client must see that something is missing
		}
	}
}

// farewell is how long a client may still send a body that the engine has answered
// already.
const farewell = time.Second

// settle waits until nobody reads the body of the request any more.
func settle(w http.ResponseWriter, sent <-chan error) {
	select {
	case <-sent:
		return
	default:
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(farewell))
	<-sent
}
