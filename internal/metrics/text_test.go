package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	var b strings.Builder
	err := Write(&b, []Family{
		{Name: "a_total", Help: "one\\two\nthree", Type: "counter", Samples: []Sample{{Labels: []string{"x", `"\` + "\n", "y", ""}, Value: 1.5}, {Value: 1 << 40}}},
		{Name: "b", Help: "none", Type: "gauge"},
	})
	const want = "# HELP a_total one\\\\two\\nthree\n# TYPE a_total counter\n" +
		"a_total{x=\"\\\"\\\\\\n\",y=\"\"} 1.5\na_total 1.099511627776e+12\n# HELP b none\n# TYPE b gauge\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
}

func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at := make(chan net.Addr, 1)
	done := make(chan error, 1)
	fail := false
	go func() {
		done <- Serve(ctx, "127.0.0.1:0", func(context.Context) ([]Family, error) {
			if fail {
				return nil, errors.New("no figures")
			}
			return []Family{{Name: "a", Help: "h", Type: "gauge", Samples: []Sample{{Value: 3}}}}, nil
		}, func(a net.Addr) { at <- a })
	}()
	url := "http://" + (<-at).String()
	get := func(path string) (int, string) {
		t.Helper()
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	if code, text := get("/metrics"); code != 200 || !strings.HasSuffix(text, "\na 3\n") {
		t.Errorf("%d %q", code, text)
	}
	if code, _ := get("/other"); code != 404 {
		t.Errorf("/other: %d", code)
	}
	fail = true
	if code, text := get("/metrics"); code != 500 || text != "no figures\n" {
		t.Errorf("%d %q", code, text)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
