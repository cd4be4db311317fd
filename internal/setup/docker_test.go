package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

var eci = DockerRuntime{Name: "eci", Type: "io.containerd.eci.v2"}

func TestDockerKeepsEveryByte(t *testing.T) {
	for name, tt := range map[string]struct{ before, after string }{
		"none":  {"", "{\n    \"runtimes\": {\n        \"eci\": {\"runtimeType\": \"io.containerd.eci.v2\"}\n    }\n}\n"},
		"empty": {"{}", "{\n    \"runtimes\": {\"eci\": {\"runtimeType\": \"io.containerd.eci.v2\"}}\n}"},
		"others": {
			"{\n\t\"debug\":  true,\n\t\"log-opts\": {\"max-size\": \"1e1\"}\n}\n",
			"{\n\t\"debug\":  true,\n\t\"log-opts\": {\"max-size\": \"1e1\"},\n\t\"runtimes\": {\"eci\": {\"runtimeType\": \"io.containerd.eci.v2\"}}\n}\n",
		},
		"one line": {
			`{"debug": true, "mtu": 1.50e3}`,
			`{"debug": true, "mtu": 1.50e3, "runtimes": {"eci": {"runtimeType": "io.containerd.eci.v2"}}}`,
		},
		"runtimes": {
			"{\n  \"runtimes\": {\n    \"crun\": {\"path\": \"/usr/bin/crun\"}\n  },\n  \"debug\": true\n}",
			"{\n  \"runtimes\": {\n    \"crun\": {\"path\": \"/usr/bin/crun\"},\n    \"eci\": {\"runtimeType\": \"io.containerd.eci.v2\"}\n  },\n  \"debug\": true\n}",
		},
		"no runtimes yet": {
			"{\n  \"runtimes\": {},\n  \"x\\u0041\": \"\\u00e9\"\n}",
			"{\n  \"runtimes\": {\n    \"eci\": {\"runtimeType\": \"io.containerd.eci.v2\"}\n  },\n  \"x\\u0041\": \"\\u00e9\"\n}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			edits, err := PlanDocker(File{Path: "/daemon.json", Data: []byte(tt.before), Exists: tt.before != ""}, eci)
			if err != nil || len(edits) != 1 || string(edits[0].After) != tt.after {
				t.Fatalf("%v, %+v\nwant %q", err, edits, tt.after)
			}
			again, err := PlanDocker(File{Data: edits[0].After, Exists: true}, eci)
			if err != nil || len(again) != 0 {
				t.Errorf("a second time: %v, %v", again, err)
			}
			// As if somebody had changed something else meanwhile.
			rest, err := removeRuntime(edits[0].After, edits[0].Part)
			if err != nil || tt.before != "" && name != "empty" && name != "no runtimes yet" && string(rest) != tt.before || tt.before != "" && !sameJSON(rest, []byte(tt.before)) {
				t.Errorf("%v, %q", err, rest)
			}
		})
	}
}

func TestDockerRefuses(t *testing.T) {
	for text, want := range map[string]error{
		`[]`:                                     ErrForm,
		`{"a": 1,}`:                              ErrForm,
		`{"a": 1} {}`:                            ErrForm,
		`{"a": 1, "a": 2}`:                       ErrForm,
		`{"runtimes": []}`:                       ErrForm,
		`{"runtimes": {"eci": {"path": "/x"}}}`:  ErrTaken,
		"{\"a\": 1 // comment\n}":                ErrForm,
		`{"runtimes": {}, "runtimes": {"a": 1}}`: ErrForm,
	} {
		if edits, err := PlanDocker(File{Path: "/daemon.json", Data: []byte(text), Exists: true}, eci); !errors.Is(err, want) || edits != nil {
			t.Errorf("%s: %v, %v", text, edits, err)
		}
	}
	part := Part{Kind: Runtime, Name: "eci", Text: `{"runtimeType": "a"}`}
	if _, err := removeRuntime([]byte(`{"runtimes": {"eci": {"runtimeType": "b"}}}`), part); !errors.Is(err, ErrEdited) {
		t.Errorf("edited: %v", err)
	}
	for _, gone := range []string{`{}`, `{"runtimes": {"crun": {}}}`} {
		if rest, err := removeRuntime([]byte(gone), part); err != nil || string(rest) != gone {
			t.Errorf("%s: %q, %v", gone, rest, err)
		}
	}
}

// FuzzDocker: whatever daemon.json is, it is refused, or means the same and a runtime more;
// and what is taken out again means what was there.
func FuzzDocker(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"runtimes":{"a":{}}}`, "{\n\t\"a\" : [1,{\"}\":\"{\"}]\n}", `{"runtimes" : null}`, `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		edits, err := PlanDocker(File{Path: "/daemon.json", Data: data, Exists: true}, eci)
		if err != nil || len(edits) == 0 {
			return
		}
		after := edits[0].After
		var v struct {
			Runtimes map[string]struct{ RuntimeType string }
		}
		if err := json.Unmarshal(after, &v); err != nil || v.Runtimes["eci"].RuntimeType != eci.Type {
			t.Fatalf("%v, %q", err, after)
		}
		rest, err := removeRuntime(after, edits[0].Part)
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(data)) == 0 {
			data = []byte("{}")
		}
		if !sameJSON(rest, data) {
			t.Errorf("%q became %q", data, rest)
		}
	})
}
