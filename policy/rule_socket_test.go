package policy

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestSocketsAdmit(t *testing.T) {
	cli := Pin{Name: "docker.io/library/docker:cli", Digest: "sha256:d1", Chain: "sha256:c1"}
	newer := Pin{Name: "docker.io/library/docker:cli", Digest: "sha256:d2", Chain: "sha256:c2"}
	own := Pin{Name: "example.com/ci/runner:1", Digest: "sha256:d3", Chain: "sha256:c3"}
	for name, tt := range map[string]struct {
		images  []string
		pins    []Pin
		derived bool
		image   Image
		why     string // beginning; empty: it is admitted
	}{
		"no list":             {image: Image{Chain: []string{"sha256:c1"}}, pins: []Pin{cli}, why: "image is not in the allowed list"},
		"by its tag":          {images: []string{cli.Name}, pins: []Pin{cli}, image: Image{Chain: []string{"sha256:c1"}}},
		"by any tag":          {images: []string{"docker.io/library/docker:*"}, pins: []Pin{cli}, image: Image{Chain: []string{"sha256:c1"}}},
		"by its digest":       {images: []string{"docker.io/library/docker@sha256:d1"}, pins: []Pin{cli}, image: Image{Chain: []string{"sha256:c1"}}},
		"another digest":      {images: []string{"docker.io/library/docker@sha256:d2"}, pins: []Pin{cli}, image: Image{Chain: []string{"sha256:c1"}}, why: "image is not in the allowed list"},
		"another repository":  {images: []string{"docker.io/library/dock:*"}, pins: []Pin{cli}, image: Image{Chain: []string{"sha256:c1"}}, why: "image is not in the allowed list"},
		"one of two pins":     {images: []string{cli.Name}, pins: []Pin{cli, newer}, image: Image{Chain: []string{"sha256:c2"}}},
		"a pin nobody lists":  {images: []string{cli.Name}, pins: []Pin{own}, image: Image{Chain: []string{"sha256:c3"}}, why: "image is not in the allowed list"},
		"its name only":       {images: []string{cli.Name}, pins: []Pin{cli}, image: Image{Name: cli.Name, Chain: []string{"sha256:c9"}}, why: `image is not in the allowed list: its content is not what "docker.io/library/docker:cli" was pinned to`},
		"no pin":              {images: []string{cli.Name}, image: Image{Name: cli.Name, Chain: []string{"sha256:c1"}}, why: `image is not in the allowed list: nothing was pinned to "docker.io/library/docker:cli"`},
		"nothing proven":      {images: []string{cli.Name}, pins: []Pin{cli}, image: Image{Name: cli.Name, Why: "no record"}, why: "its content cannot be proven: no record"},
		"nothing known":       {images: []string{cli.Name}, pins: []Pin{cli}, why: "its content cannot be proven: nothing is known of it"},
		"derived":             {images: []string{cli.Name}, pins: []Pin{cli}, image: Image{Chain: []string{"sha256:c9", "sha256:c1"}}, why: `it was built on "docker.io/library/docker:cli"`},
		"derived, allowed":    {images: []string{cli.Name}, pins: []Pin{cli}, derived: true, image: Image{Chain: []string{"sha256:c9", "sha256:c1"}}},
		"derived, and listed": {images: []string{cli.Name, own.Name}, pins: []Pin{cli, own}, image: Image{Chain: []string{"sha256:c3", "sha256:c1"}}},
		"what it is built on": {images: []string{own.Name}, pins: []Pin{cli, own}, derived: true, image: Image{Chain: []string{"sha256:c1"}}, why: "image is not in the allowed list"},
	} {
		t.Run(name, func(t *testing.T) {
			why, _ := Sockets{Images: tt.images, Pins: tt.pins, AllowDerived: tt.derived}.admits(tt.image)
			if (why == "") != (tt.why == "") || !strings.HasPrefix(why, tt.why) {
				t.Errorf("got %q, want %q", why, tt.why)
			}
		})
	}
}

func TestEngineName(t *testing.T) {
	for pattern, want := range map[string]string{
		"/run/docker.sock": "docker", "/run/user/*/podman/podman.sock": "podman", "/run/containerd/containerd.sock.ttrpc": "containerd",
		"/run/buildkit/buildkitd.sock": "buildkit", "/run/docker/*.sock": "docker", "/run/cri-dockerd.sock": "cri-dockerd", "/run/crio/crio.sock": "crio",
	} {
		if got := engineName(pattern); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

func TestAsksForEngine(t *testing.T) {
	socket := map[int]Source{0: {Kind: KindSocket, Paths: []string{"/run/docker.sock"}}}
	file := map[int]Source{0: {Kind: KindFile, Paths: []string{"/run/docker.sock"}}}
	bind := &specs.Spec{Mounts: []specs.Mount{{Type: "bind", Source: "/run/docker.sock", Options: []string{"rbind"}}}}
	tmpfs := &specs.Spec{Mounts: []specs.Mount{{Type: "tmpfs", Source: "/run/docker.sock"}}}
	off := Default()
	off.Rules = map[string]Mode{ruleEngineSocket: Off}
	for name, tt := range map[string]struct {
		cfg   Config
		facts map[int]Source
		spec  *specs.Spec
		want  bool
	}{
		"a socket":        {Default(), socket, bind, true},
		"a file":          {Default(), file, bind, false},
		"no bind":         {Default(), socket, tmpfs, false},
		"nobody asks":     {off, socket, bind, false},
		"nothing to see":  {Default(), nil, bind, false},
		"nothing mounted": {Default(), socket, &specs.Spec{}, false},
	} {
		if got := AsksForEngine(tt.cfg, Facts{Sources: tt.facts}, tt.spec); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
