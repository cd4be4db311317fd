package broker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

// denyPush is a list that lets nearly everything pass.
var denyPush = policy.Commands{Type: "deny", List: []string{"push"}}

// bed is an engine, and a broker in front of it, in this process.
type bed struct {
	engine, broker string // sockets
	refused        chan string
}

// newBed starts both, and asserts at the end that neither holds anything any more.
func newBed(t *testing.T, commands policy.Commands, engine http.HandlerFunc) *bed {
	t.Helper()
	linuxtest.NoLeak(t)
	b := &bed{engine: filepath.Join(t.TempDir(), "e"), broker: filepath.Join(t.TempDir(), "b"), refused: make(chan string, 9)}
	l, err := net.Listen("unix", b.engine)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: engine}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	cfg := Config{
		Listener: listen(t, b.broker), Engine: openSocket(t, b.engine), Commands: commands,
		Refused: func(command, why string) { b.refused <- command + ": " + why },
	}
	go func() { done <- Serve(ctx, cfg) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// conn is a client's connection.
type conn struct {
	*net.UnixConn
	t    *testing.T
	from *bufio.Reader
}

func (b *bed) dial(t *testing.T) *conn {
	t.Helper()
	c := dial(t, b.broker)
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &conn{c, t, bufio.NewReader(c)}
}

// say sends text as it is.
func (c *conn) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads the head of an answer.
func (c *conn) answer() *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.from, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

// whole reads an answer, body included.
func (c *conn) whole() string {
	c.t.Helper()
	res := c.answer()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}

func (c *conn) want(got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("got %.300q, want %.300q", got, want)
	}
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: docker\r\n\r\n" }

// echo answers with what it was asked.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
}

func TestKeepAlive(t *testing.T) {
	c := newBed(t, denyPush, echo).dial(t)
	for range 3 {
		c.say(get("/v1.47/containers/json?all=1"))
		c.want(c.whole(), "200 GET /v1.47/containers/json?all=1 ")
	}
	c.say("POST /v1.47/containers/create?name=a HTTP/1.1\r\nHost: docker\r\nContent-Length: 2\r\n\r\n{}")
	c.want(c.whole(), "200 POST /v1.47/containers/create?name=a {}")
	c.say(get("/version")[:len(get("/version"))-2] + "Connection: close\r\n\r\n")
	c.want(c.whole(), "200 GET /version ")
	if _, err := c.from.ReadByte(); err != io.EOF {
		t.Errorf("after Connection: close: %v", err)
	}
}

func TestRefusal(t *testing.T) {
	b := newBed(t, denyPush, echo)
	c := b.dial(t)
	const refusal = `{"message":"the command \"docker image push\" is denied by the administrator's policy (POST /images/a/push)"}` + "\n"
	for range 2 { // the connection can be used again, and a second line is not written
		c.say("POST /v1.47/images/a/push HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n")
		c.want(c.whole(), "403 "+refusal)
	}
	c.say(get("/version"))
	c.want(c.whole(), "200 GET /version ")
	c.want(<-b.refused, `image push: the command "docker image push" is denied by the administrator's policy (POST /images/a/push)`)
	if len(b.refused) > 0 {
		t.Errorf("told again: %q", <-b.refused)
	}
	c.say(get("/images/docker.io%2Fa%2Fb:1/json"))
	c.want(c.whole(), "200 GET /images/docker.io/a/b:1/json ")
	for _, target := range []string{"/images/a/../b/json", "//version", "/version/", "/version%00", "/images/a%2525/json", "/version?a;b", "/" + strings.Repeat("a", maxPath)} {
		c.say(get(target))
		if got := c.whole(); !strings.HasPrefix(got, `400 {"message":"the `) {
			t.Errorf("%.50s: %s", target, got)
		}
	}
}

// What was pipelined behind an allowed request is judged like every other one.
func TestPipelinedRequests(t *testing.T) {
	c := newBed(t, denyPush, echo).dial(t)
	c.say(get("/version") + "POST /images/a/push HTTP/1.1\r\nHost: docker\r\n\r\n" + get("/info"))
	c.want(c.whole(), "200 GET /version ")
	c.want(c.whole()[:3], "403")
	c.want(c.whole(), "200 GET /info ")
}

// The same bytes never have two readings.
func TestSmuggling(t *testing.T) {
	const hidden = "POST /images/a/push HTTP/1.1\r\nHost: docker\r\n\r\n"
	for name, request := range map[string]string{
		"two lengths":       "POST /images/a/tag HTTP/1.1\r\nHost: docker\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n" + hidden,
		"length and pieces": "POST /images/a/tag HTTP/1.1\r\nHost: docker\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a strange coding":  "POST /images/a/tag HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"a folded line":     "POST /images/a/tag HTTP/1.1\r\nHost: docker\r\nX: a\r\n Content-Length: 60\r\n\r\n" + hidden,
		"bare line feeds":   "GET /version HTTP/1.1\nHost: docker\n\n" + hidden,
		"in the old style":  "GET /version HTTP/1.0\r\nHost: docker\r\n\r\n" + hidden,
		"with an upgrade":   "GET /version HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + hidden,
		"with HTTP/2":       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan string, 9)
			b := newBed(t, denyPush, func(w http.ResponseWriter, r *http.Request) {
				asked <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Upgrade") + r.Header.Get("Http2-Settings")
				_, _ = io.Copy(io.Discard, r.Body)
			})
			c := b.dial(t)
			c.say(request)
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c.from)
			for len(asked) > 0 {
				if got := <-asked; got != "GET /version " && got != "POST /images/a/tag " {
					t.Errorf("the engine was asked %s", got)
				}
			}
		})
	}
}

func TestFormsAreRefused(t *testing.T) {
	c := newBed(t, policy.Commands{Type: "deny", List: []string{"import"}}, echo).dial(t)
	for _, kind := range []string{"application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8", "multipart/form-data; boundary=x"} {
		c.say("POST /images/create?fromImage=a HTTP/1.1\r\nHost: docker\r\nContent-Type: " + kind + "\r\nContent-Length: 9\r\n\r\nfromSrc=-")
		c.want(c.whole()[:3], "400")
	}
}

func TestHeadersHaveALimit(t *testing.T) {
	c := newBed(t, denyPush, echo).dial(t)
	go func() {
		_, _ = io.WriteString(c, "GET /version HTTP/1.1\r\nHost: docker\r\nX: "+strings.Repeat("a", 2*maxHeader)+"\r\n\r\n")
	}()
	c.want(c.whole()[:3], "431")
}
