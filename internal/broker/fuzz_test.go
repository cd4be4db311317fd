package broker

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/policy"
)

// fuzzDenied are commands, and how an engine knows the requests that do their work.
// Docker's routes and Podman's are those of gorilla/mux: a version in front or none,
// names that may hold anything, and a decoded path.
var fuzzDenied = []struct {
	command, method string
	path            *regexp.Regexp
	form            string // a parameter that makes it one
}{
	{"push", "POST", regexp.MustCompile(`^(/v[0-9][0-9A-Za-z.-]*)?(/libpod)?/(images|manifests)/.*/push$`), ""},
	{"plugin push", "POST", regexp.MustCompile(`^(/v[0-9][0-9A-Za-z.-]*)?/plugins/.*/push$`), ""},
	{"build", "POST", regexp.MustCompile(`^(/v[0-9][0-9A-Za-z.-]*)?(/libpod)?/(build|session|grpc)$`), ""},
	{"exec", "POST", regexp.MustCompile(`^(/v[0-9][0-9A-Za-z.-]*)?(/libpod)?/(containers/.*/exec|exec/.*/start)$`), ""},
	{"import", "POST", regexp.MustCompile(`^(/v[0-9][0-9A-Za-z.-]*)?/images/create$`), "fromSrc"},
	{"rm", "DELETE", regexp.MustCompile(`^(/v[0-9][0-9A-Za-z.-]*)?(/libpod)?/containers/.*$`), ""},
}

// FuzzForward holds the broker to its word: whatever bytes a client sends, what the
// engine gets is one request, and none that does what is denied.
func FuzzForward(f *testing.F) {
	for _, target := range []string{
		"/version", "/v1.47/images/a/push", "/v1.47//images/a/push", "/v1.47/images/a/%70ush", "/images/a%2fpush", "/images/a/tag/../push",
		"/images/a/tag?x=/push", "/images/a/push;x/tag", "http://docker/images/a/push", "/v1.47/build?outputs=%5B%5D", "/images/create?fromImage=&fromSrc=-",
		"/images/create?fromImage=a&fromSrc=-", "/images/create?fromImage=a;fromSrc=-", "*", "docker:80", "/images/a/push#/tag", "/images/a/push%00/tag", "/images/a/%252e%252e/tag",
	} {
		for _, method := range []string{"POST", "DELETE", "GET"} {
			f.Add([]byte(method + " " + target + " HTTP/1.1\r\nHost: docker\r\n\r\n"))
		}
	}
	for _, head := range []string{
		"Content-Length: 4\r\nTransfer-Encoding: chunked", "Content-Length: 4\r\nContent-Length: 5", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
		"Transfer-Encoding:\vchunked", "Connection: Upgrade\r\nUpgrade: tcp", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9", "X-HTTP-Method-Override: DELETE", "Trailer: Host\r\nTransfer-Encoding: chunked",
	} {
		f.Add([]byte("POST /images/create?fromImage=a HTTP/1.1\r\nHost: docker\r\n" + head + "\r\n\r\nfromSrc=-\r\nPOST /images/a/push HTTP/1.1\r\nHost: docker\r\n\r\n"))
		f.Add([]byte("POST /containers/a/attach HTTP/1.1\r\nHost: docker\r\n" + head + "\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
	}
	commands := policy.Commands{Type: "deny"}
	for _, d := range fuzzDenied {
		commands.List = append(commands.List, d.command)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return // Go's server refuses it
		}
		path, query, err := readTarget(in)
		if err != nil {
			return
		}
		v := judge(commands, in.Method, path, query)
		if !v.pass {
			return
		}
		if !wants(in.Header, v.upgrade) {
			v.upgrade = ""
		}
		var sent bytes.Buffer
		if err := forward(in, path, query, v.upgrade).Write(&sent); err != nil {
			return // the connection ends in the middle of the request
		}
		checkReading(t, sent.Bytes(), v.upgrade)
	})
}

// checkReading reads what was sent to an engine as one does.
func checkReading(t *testing.T, sent []byte, upgrade string) {
	t.Helper()
	from := bufio.NewReader(bytes.NewReader(sent))
	got, err := http.ReadRequest(from)
	if err != nil {
		t.Fatalf("the engine cannot read it: %v\n%q", err, sent)
	}
	if asked := got.Header.Get("Upgrade"); asked != upgrade || got.Header.Get("Http2-Settings") != "" {
		t.Errorf("the engine is asked to upgrade to %q\n%q", asked, sent)
	}
	if err := got.ParseForm(); err != nil && !strings.HasPrefix(err.Error(), "mime:") { // Docker lets those pass
		t.Errorf("the engine cannot read the form: %v\n%q", err, sent)
	}
	for _, d := range fuzzDenied {
		for _, p := range []string{got.URL.Path, path.Clean(got.URL.Path), strings.ToLower(got.URL.Path)} {
			if got.Method == d.method && d.path.MatchString(p) && (d.form == "" || got.Form.Get(d.form) != "") {
				t.Errorf("%s was forwarded\n%q", d.command, sent)
			}
		}
	}
	if _, err := io.Copy(io.Discard, got.Body); err != nil {
		t.Errorf("the engine cannot read the body: %v\n%q", err, sent)
	}
	if rest, _ := io.ReadAll(from); len(rest) > 0 {
		t.Errorf("the engine reads on after the request: %q\n%q", rest, sent)
	}
}
