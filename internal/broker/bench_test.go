package broker

import (
	"bufio"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eci-runtime/eci/policy"
)

// BenchmarkStream compares a stream of 1 GiB through the broker with the same one
// from the engine, in turn, and reports the ratio of the medians. An engine that pulls
// or saves a layer decompresses and hashes it; the bare streams are as fast as memory,
// and show what copying costs. Client, broker and engine are three processes: with two
// processors, the bare streams have them take turns.
//
//	go test -run '^$' -bench Stream -benchtime 5x ./internal/broker
func BenchmarkStream(b *testing.B) {
	engine := filepath.Join(b.TempDir(), "engine")
	child(b, "engine", listen(b, engine))
	broker := brokerChild(b, engine, policy.Commands{Type: "deny", List: []string{"push"}})
	const chunked, hijacked = "GET /containers/a/export HTTP/1.1\r\nHost: docker\r\n", "POST /containers/a/attach HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
	for _, bb := range []struct{ name, request string }{
		{"chunked", chunked + "Unpack: yes\r\n\r\n"},
		{"hijacked", hijacked + "Unpack: yes\r\n\r\n"},
		{"chunked-bare", chunked + "\r\n"},
		{"hijacked-bare", hijacked + "\r\n"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var direct, brokered []time.Duration
			for b.Loop() {
				direct = append(direct, receive(b, engine, bb.request))
				brokered = append(brokered, receive(b, broker, bb.request))
			}
			b.ReportMetric(median(brokered).Seconds()/median(direct).Seconds(), "ratio")
			b.ReportMetric(median(direct).Seconds(), "s-direct")
			b.ReportMetric(median(brokered).Seconds(), "s-brokered")
		})
	}
}

// receive says how long a stream takes.
func receive(tb testing.TB, socket, request string) time.Duration {
	tb.Helper()
	start := time.Now()
	conn := dial(tb, socket)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		tb.Fatal(err)
	}
	from := bufio.NewReader(conn)
	res, err := http.ReadResponse(from, nil)
	if err != nil {
		tb.Fatal(err)
	}
	var body io.Reader = res.Body
	if res.StatusCode == http.StatusSwitchingProtocols {
		body = from
	}
	n, err := io.Copy(struct{ io.Writer }{io.Discard}, body)
	if n != streamSize || err != nil {
		tb.Fatalf("%s: received %d bytes: %v", res.Status, n, err)
	}
	return time.Since(start)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
