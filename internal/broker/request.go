package broker

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxPath bounds the path of a request, in bytes: what is refused is logged.
const maxPath = 4096

// readTarget gives path and query of a request, and refuses what two readers could
// read in two ways.
func readTarget(r *http.Request) (path string, query url.Values, err error) {
	path = r.URL.Path
	switch {
	case path == "" || path[0] != '/' || r.URL.Opaque != "":
		return "", nil, errors.New("the path of the request is not absolute")
	case len(path) > maxPath:
		return "", nil, errors.New("the path of the request is too long")
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "" || part == "." || part == ".." {
			return "", nil, errors.New("the path of the request is not canonical")
		}
	}
	for _, c := range []byte(path) {
		if c <= ' ' || c > '~' || strings.IndexByte(`%\;?#`, c) >= 0 {
			return "", nil, errors.New("the path of the request has a character that nothing in Docker's API has")
		}
	}
	if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return "", nil, fmt.Errorf("the query of the request cannot be read: %w", err)
	}
	// The engine would read parameters from such a body as well, and prefer them.
	for _, value := range r.Header.Values("Content-Type") {
		kind := strings.ToLower(value)
		if strings.Contains(kind, "x-www-form-urlencoded") || strings.Contains(kind, "multipart/") {
			return "", nil, errors.New("the request has a form for a body, which Docker's API does not take")
		}
	}
	return path, query, nil
}

// hopHeaders are about one connection (RFC 9110, section 7.6.1), or ask for a switch
// of protocols (HTTP2-Settings), and are not passed on. Expect is answered by the
// server as soon as the body is read.
var hopHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Expect", "Http2-Settings", "Proxy-Authenticate", "Proxy-Authorization", "Content-Length",
}

// passOn copies what of a header goes beyond this connection.
func passOn(h http.Header) http.Header {
	out := h.Clone()
	for _, value := range h.Values("Connection") {
		for name := range strings.SplitSeq(value, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		out.Del(name)
	}
	return out
}

// forward makes the request for the engine. Nothing of the client's is in it but
// values that Go's server has read: every one is written anew. The connection is for
// this request only.
func forward(r *http.Request, path string, query url.Values, upgrade string) *http.Request {
	out := &http.Request{
		Method: r.Method,
		URL:    &url.URL{Scheme: "http", Host: "docker", Path: path, RawQuery: query.Encode()},
		Host:   "docker",
		Header: passOn(r.Header),
		Body:   r.Body, ContentLength: r.ContentLength,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	if _, given := out.Header["User-Agent"]; !given {
		out.Header["User-Agent"] = nil // else package http puts in its own
	}
	if upgrade == "" {
		out.Close = true
		return out
	}
	out.Header.Set("Connection", "Upgrade")
	out.Header.Set("Upgrade", upgrade)
	// A handshake of WebSocket is in headers of its own, which were copied.
	return out
}

// wants tells whether a client asks to switch to a protocol.
func wants(h http.Header, protocol string) bool {
	has := func(name, word string) bool {
		return slices.ContainsFunc(h.Values(name), func(value string) bool {
			return slices.ContainsFunc(strings.Split(value, ","), func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), word) })
		})
	}
	return protocol != "" && has("Connection", "upgrade") && has("Upgrade", protocol)
}
