package shim

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	bootapi "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	"github.com/containerd/containerd/api/types/runc/options"
	"google.golang.org/protobuf/proto"
)

func TestBootstrapOfEveryGeneration(t *testing.T) {
	args := arguments{namespace: "default", id: "web"}
	modern := &bootapi.BootstrapParams{InstanceID: "web", Namespace: "default", SocketDir: proto.String("/run/x/s")}
	if err := modern.AddExtension(&options.Options{ShimCgroup: "/shims"}); err != nil {
		t.Fatal(err)
	}
	other := &bootapi.BootstrapParams{InstanceID: "web", Namespace: "elsewhere"}
	packed, err := packOptions(&options.Options{ShimCgroup: "/shims"})
	if err != nil {
		t.Fatal(err)
	}
	marshal := func(m proto.Message) []byte {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, c := range []struct {
		name  string
		stdin []byte
		want  bootstrap
	}{
		{"2.3 and later", marshal(modern), bootstrap{socketDir: "/run/x/s", shimCgroup: "/shims"}},
		{"1.7 to 2.2 with options", marshal(packed), bootstrap{legacy: true, socketDir: "/run/containerd/s", shimCgroup: "/shims"}},
		{"1.7 to 2.2 without", nil, bootstrap{legacy: true, socketDir: "/run/containerd/s"}},
		{"parameters of another container", marshal(other), bootstrap{legacy: true, socketDir: "/run/containerd/s"}},
		{"garbage", []byte{0xff, 0xff}, bootstrap{legacy: true, socketDir: "/run/containerd/s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			got, err := readBootstrap(args, bytes.NewReader(c.stdin))
			if err != nil || got != c.want {
				t.Fatalf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
	if _, err := readBootstrap(arguments{id: "web"}, bytes.NewReader(nil)); err == nil {
		t.Error("start without a namespace is accepted")
	}
}

func TestAnswerInTheCallersLanguage(t *testing.T) {
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	if err := (bootstrap{}).answer(&out, "unix:///s/1"); err != nil {
		t.Fatal(err)
	}
	var result bootapi.BootstrapResult
	if err := proto.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	if result.Version != 3 || result.Address != "unix:///s/1" || result.Protocol != "ttrpc" {
		t.Errorf("modern answer: %v", &result)
	}

	out.Reset()
	if err := (bootstrap{legacy: true}).answer(&out, "unix:///s/1"); err != nil {
		t.Fatal(err)
	}
	var legacy map[string]any
	if err := json.Unmarshal(out.Bytes(), &legacy); err != nil {
		t.Fatal(err)
	}
	if legacy["version"] != 2.0 || legacy["address"] != "unix:///s/1" || legacy["protocol"] != "ttrpc" {
		t.Errorf("legacy answer: %v", legacy)
	}
	if data, err := os.ReadFile("address"); err != nil || string(data) != "unix:///s/1" {
		t.Errorf("address file of containerd 1.7: %q, %v", data, err)
	}
}

func TestGroupOf(t *testing.T) {
	for _, c := range []struct{ name, spec, want, err string }{
		{"alone", `{}`, "web", ""},
		{"explicit group", `{"annotations":{"io.kubernetes.cri.sandbox-id":"pod","io.containerd.runc.v2.group":"g"}}`, "g", ""},
		{"pod", `{"annotations":{"io.kubernetes.cri.sandbox-id":"pod"}}`, "pod", ""},
		{"no JSON", `{`, "", "config.json is not an OCI spec: unexpected end of JSON input"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile(specFile, []byte(c.spec), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := groupOf(specFile, "web")
			if got != c.want || errText(err) != c.err {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestParseArguments(t *testing.T) {
	for _, c := range []struct {
		name string
		argv []string
		want arguments
	}{
		{"start", []string{"-namespace", "ns", "-address", "/a", "-publish-binary", "/b", "-id", "x", "start"}, arguments{namespace: "ns", id: "x", address: "/a", action: "start"}},
		{"delete", []string{"-namespace", "ns", "-id", "x", "-bundle", "/b", "-debug", "delete"}, arguments{namespace: "ns", id: "x", debug: true, action: "delete"}},
		{"server", []string{"-namespace", "ns", "-id", "x", "-address", "/a"}, arguments{namespace: "ns", id: "x", address: "/a"}},
		{"version", []string{"-v"}, arguments{version: true}},
		{"info", []string{"-info"}, arguments{info: true}},
		{"unknown flag", []string{"-nonsense"}, arguments{info: true}},
	} {
		if got := parseArguments(c.argv); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
