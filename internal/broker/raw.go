package broker

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// connect joins both connections after a switch of protocols, until both directions
// have ended.
func connect(w http.ResponseWriter, res *http.Response, from *bufio.Reader, engine *net.UnixConn) {
	client, early, err := hijack(w)
	if err != nil {
		return
	}
	defer client.Close()
	header := passOn(res.Header)
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", res.Header.Get("Upgrade"))
	if writeHead(client, res.Status, header) != nil {
		return
	}
	join(client, early, engine, from)
}

// join copies in both directions. Where one of them ends, it ends on the other side
// as well, and the other direction goes on.
func join(client *net.UnixConn, fromClient *bufio.Reader, engine *net.UnixConn, fromEngine *bufio.Reader) {
	up := make(chan struct{})
	go func() {
		defer close(up)
		_ = pour(engine, fromClient, client)
		_ = engine.CloseWrite()
	}()
	_ = pour(client, fromEngine, engine)
	_ = client.CloseWrite()
	<-up
}

// stream writes an answer as the engine has framed it, until the engine closes the
// connection. The client sends nothing more on its own: what it sends is dropped.
func stream(w http.ResponseWriter, res *http.Response, from *bufio.Reader, engine *net.UnixConn) {
	client, _, err := hijack(w)
	if err != nil {
		return
	}
	defer client.Close()
	header := passOn(res.Header)
	header.Set("Connection", "close")
	switch {
	case len(res.TransferEncoding) > 0:
		header.Set("Transfer-Encoding", "chunked")
	case res.ContentLength >= 0:
		header.Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	if writeHead(client, res.Status, header) != nil {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, client)
		engine.Close() // the client is gone
	}()
	_ = pour(client, from, engine)
}

// hijack takes the connection away from Go's server, with what was read ahead of it.
func hijack(w http.ResponseWriter) (*net.UnixConn, *bufio.Reader, error) {
	conn, ahead, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	client, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, nil, fmt.Errorf("%T is no connection of a unix socket", conn)
	}
	return client, ahead.Reader, nil
}

func writeHead(w io.Writer, status string, header http.Header) error {
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %s\r\n", status)
	_ = header.Write(&head)
	head.WriteString("\r\n")
	_, err := w.Write(head.Bytes())
	return err
}

// pour copies what was read ahead, then all the rest.
func pour(to *net.UnixConn, ahead *bufio.Reader, from *net.UnixConn) error {
	if ahead != nil {
		data, _ := ahead.Peek(ahead.Buffered())
		if _, err := to.Write(data); err != nil {
			return err
		}
	}
	return splice(to, from)
}
