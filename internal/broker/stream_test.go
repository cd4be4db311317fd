package broker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/policy"
)

// Each piece of an answer arrives before the next one is made.
func TestAnswersAreNotHeldBack(t *testing.T) {
	for name, request := range map[string]string{
		"without a body": get("/events"),
		"with a body":    "POST /build HTTP/1.1\r\nHost: docker\r\nContent-Length: 4\r\n\r\nbody",
		"in HTTP/1.0":    "GET /events HTTP/1.0\r\nHost: docker\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan bool)
			c := newBed(t, denyPush, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				for i := range 3 {
					fmt.Fprintf(w, "%d\n", i)
					_ = http.NewResponseController(w).Flush()
					<-next
				}
			}).dial(t)
			c.say(request)
			body := c.answer().Body
			for i := range 3 {
				piece := make([]byte, 2)
				if _, err := io.ReadFull(body, piece); err != nil || string(piece) != fmt.Sprintf("%d\n", i) {
					t.Fatalf("got %q, %v", piece, err)
				}
				next <- true
			}
			if rest, err := io.ReadAll(body); len(rest) > 0 || err != nil {
				t.Errorf("then %q, %v", rest, err)
			}
		})
	}
}

// A body arrives while it is sent, and the answer may begin before it has ended.
func TestBodiesAreNotHeldBack(t *testing.T) {
	c := newBed(t, denyPush, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		piece := make([]byte, 5)
		for {
			n, err := io.ReadFull(r.Body, piece)
			_, _ = w.Write(bytes.ToUpper(piece[:n]))
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}).dial(t)
	c.say("POST /images/load HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
	body := c.answer().Body
	for _, next := range []string{"FIRST", "AGAIN"} {
		piece := make([]byte, 5)
		if _, err := io.ReadFull(body, piece); err != nil || string(piece) != next {
			t.Fatalf("got %q, %v, want %q", piece, err, next)
		}
		if next == "FIRST" {
			c.say("5\r\nagain\r\n")
		}
	}
	c.say("0\r\n\r\n")
	if rest, err := io.ReadAll(body); len(rest) > 0 || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
	c.say(get("/version"))
	c.want(c.whole(), "200 ")
}

func TestExpectContinue(t *testing.T) {
	c := newBed(t, denyPush, echo).dial(t)
	c.say("POST /images/load HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	if res := c.answer(); res.StatusCode != http.StatusContinue {
		t.Fatalf("got %s", res.Status)
	}
	c.say("body")
	c.want(c.whole(), "200 POST /images/load body")

	// A body that nobody wants is not asked for.
	c.say("POST /images/a/push HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	c.want(c.whole()[:3], "403")
}

// An engine that does not read a body has its answer passed on all the same.
func TestAnswerBeforeTheBody(t *testing.T) {
	c := newBed(t, denyPush, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, "no")
	}).dial(t)
	c.say("POST /images/load HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
	c.want(c.whole(), "409 no")
}

func TestHead(t *testing.T) {
	c := newBed(t, denyPush, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Docker-Container-Path-Stat", "e30=")
		w.Header().Set("Content-Length", "100000000")
	}).dial(t)
	for range 2 {
		c.say("HEAD /containers/a/archive?path=/x HTTP/1.1\r\nHost: docker\r\n\r\n")
		res, err := http.ReadResponse(c.from, &http.Request{Method: http.MethodHead})
		if err != nil || res.Header.Get("X-Docker-Container-Path-Stat") != "e30=" || res.ContentLength != 100000000 {
			t.Fatalf("got %+v, %v", res, err)
		}
	}
}

func TestLongAnswers(t *testing.T) {
	want := strings.Repeat("0123456789", 1<<20)
	for _, header := range []string{"", "Content-Length"} {
		b := newBed(t, denyPush, func(w http.ResponseWriter, _ *http.Request) {
			if header != "" {
				w.Header().Set(header, fmt.Sprint(len(want)))
			}
			_, _ = io.WriteString(w, want)
		})
		for _, request := range []string{get("/images/get"), "POST /containers/a/wait HTTP/1.1\r\nHost: docker\r\nContent-Length: 1\r\n\r\n1"} {
			c := b.dial(t)
			c.say(request)
			c.want(c.whole(), "200 "+want)
		}
	}
}

// A client that goes away ends its request at the engine.
func TestClientGoesAway(t *testing.T) {
	for name, request := range map[string]string{
		"before the answer": "POST /containers/a/wait HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n",
		"in the answer":     get("/events"),
		"in the body":       "POST /images/load HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			begun, ended := make(chan bool), make(chan bool)
			c := newBed(t, denyPush, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					_ = http.NewResponseController(w).Flush()
				}
				begun <- true
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				ended <- true
			}).dial(t)
			c.say(request)
			<-begun
			c.Close()
			<-ended
		})
	}
}

// An answer that the engine breaks off is not taken for a whole one.
func TestEngineGoesAway(t *testing.T) {
	for name, request := range map[string]string{
		"without a body": get("/events"), "with a body": "POST /build HTTP/1.1\r\nHost: docker\r\nContent-Length: 4\r\n\r\nbody",
	} {
		t.Run(name, func(t *testing.T) {
			c := newBed(t, denyPush, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, "begun")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}).dial(t)
			c.say(request)
			if got, err := io.ReadAll(c.answer().Body); string(got) != "begun" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	t.Run("without an answer", func(t *testing.T) {
		c := newBed(t, denyPush, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }).dial(t)
		c.say(get("/version"))
		c.want(c.whole()[:3], "502")
	})
}

// hijacked is an engine that takes the connection over, if it is asked to, and gives
// back what is said in capital letters.
func hijacked(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	protocol := r.Header.Get("Upgrade")
	if protocol == "" || strings.Contains(r.URL.Path, "nothing") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	conn, from, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nhello", protocol)
	buf := make([]byte, 1<<10)
	for {
		n, err := from.Read(buf)
		_, _ = conn.Write(bytes.ToUpper(buf[:n]))
		if err != nil {
			fmt.Fprint(conn, "bye")
			return
		}
	}
}

func upgrade(path, protocol string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: " + protocol + "\r\nContent-Length: 2\r\n\r\n{}"
}

func TestHijackedConnections(t *testing.T) {
	for _, tt := range []struct{ path, protocol string }{{"/containers/a/attach", "tcp"}, {"/exec/a/start", "tcp"}, {"/session", "h2c"}, {"/grpc", "h2c"}} {
		t.Run(tt.path, func(t *testing.T) {
			c := newBed(t, policy.Commands{Type: "allow", List: []string{"attach", "exec", "build"}}, hijacked).dial(t)
			c.say(upgrade(tt.path, tt.protocol) + "early ") // before the answer
			res := c.answer()
			if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != tt.protocol || res.Header.Get("Content-Type") == "" {
				t.Fatalf("got %+v", res)
			}
			want := "helloEARLY " + strings.Repeat("WORDS ", 100000) + "bye"
			go func() {
				_, _ = io.WriteString(c, strings.Repeat("words ", 100000))
				_ = c.CloseWrite() // which the engine answers with its last word
			}()
			got, err := io.ReadAll(c.from)
			if err != nil {
				t.Error(err)
			}
			c.want(string(got), want)
		})
	}
}

// Connections are hijacked only where Docker's API does it, and to what it asks for.
func TestOtherUpgrades(t *testing.T) {
	b := newBed(t, denyPush, hijacked)
	for _, request := range []string{
		upgrade("/containers/a/attach", "h2c"), upgrade("/containers/a/wait", "tcp"), upgrade("/images/a/tag", "h2c"), upgrade("/session", "websocket"),
		upgrade("/containers/nothing/attach", "tcp"),
	} {
		c := b.dial(t)
		c.say(request)
		c.want(c.whole()[:3], "404")
	}
}

// Docker's engine ends the answer of an exec by ending its half of the connection.
func TestEngineEndsItsHalf(t *testing.T) {
	said := make(chan string, 1)
	c := newBed(t, denyPush, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, from, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nbye")
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
		rest, _ := io.ReadAll(from)
		said <- string(rest)
	}).dial(t)
	c.say(upgrade("/exec/a/start", "tcp"))
	c.answer()
	if got, err := io.ReadAll(c.from); string(got) != "bye" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	c.say("still there")
	c.Close()
	c.want(<-said, "still there")
}

// Without a list nothing is looked at.
func TestRelay(t *testing.T) {
	c := newBed(t, policy.Commands{}, hijacked).dial(t)
	c.say(strings.Replace(upgrade("/whatever//it/is", "anything"), "Host: docker", "Host: docker\r\nX-Kept: yes", 1))
	if res := c.answer(); res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %s", res.Status)
	}
	c.say("words")
	_ = c.CloseWrite()
	got, err := io.ReadAll(c.from)
	if err != nil {
		t.Error(err)
	}
	c.want(string(got), "helloWORDSbye")
}
