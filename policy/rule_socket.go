package policy

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// checkEngineSockets keeps P07. The sentence is that of Docker's Enhanced Container
// Isolation.
func checkEngineSockets(r *request, d *Decision) *Violation {
	for i, m := range r.spec.Mounts {
		e := r.zones().engine(r.facts.Sources[i])
		if !IsBind(m) || e == nil {
			continue
		}
		field := fmt.Sprintf("mounts[%d].source", i)
		engine := engineName(e.Path)
		socket := Socket{Engine: engine, Broker: r.cfg.Sockets.Commands.Type != "" && slices.Contains(dockerAPI, engine)}
		why, pin := r.cfg.Sockets.admits(r.facts.Image)
		if why == "" && r.cfg.Sockets.Commands.Type != "" && !socket.Broker {
			why = "sockets.commands can be kept for docker's API only"
		}
		if why != "" {
			name := cmp.Or(repository(r.facts.Image.Name), "unknown")
			v := denied(field, "%s socket mount denied for container with image %q; %s", engine, name, why)
			if !r.tolerates(v, d) {
				return v
			}
		} else {
			d.Findings = append(d.Findings, Finding{
				Rule: ruleEngineSocket, Field: field, Verdict: Granted,
				Reason: fmt.Sprintf("the %s socket is given to a container of the image %q", engine, pin.Name),
			})
		}
		if d.Sockets == nil {
			d.Sockets = map[int]Socket{}
		}
		d.Sockets[i] = socket
	}
	return nil
}

// dockerAPI are the engines that speak Docker's API at their socket.
var dockerAPI = []string{"docker", "podman"}

// admits says why a container cannot have a socket, or by which pin it can.
func (s Sockets) admits(image Image) (why string, by Pin) {
	const no = "image is not in the allowed list"
	if len(s.Images) == 0 {
		return no, Pin{}
	}
	if len(image.Chain) == 0 {
		return fmt.Sprintf("its content cannot be proven: %s", cmp.Or(image.Why, "nothing is known of it")), Pin{}
	}
	base, pinned := "", false
	for _, pin := range s.Pins {
		if !s.lists(pin) {
			continue
		}
		pinned = pinned || pin.Name == image.Name
		switch n := slices.Index(image.Chain, pin.Chain); {
		case n == 0 || n > 0 && s.AllowDerived:
			return "", pin
		case n > 0:
			base = pin.Name
		}
	}
	switch {
	case base != "":
		return fmt.Sprintf("it was built on %q, but sockets.allow_derived is not set", base), Pin{}
	case pinned:
		return fmt.Sprintf("%s: its content is not what %q was pinned to (eci policy pin)", no, image.Name), Pin{}
	case s.lists(Pin{Name: image.Name}):
		return fmt.Sprintf("%s: nothing was pinned to %q (eci policy pin)", no, image.Name), Pin{}
	}
	return no, Pin{}
}

// lists tells whether an image is meant by an entry of the list.
func (s Sockets) lists(pin Pin) bool {
	return slices.ContainsFunc(s.Images, func(want string) bool { return matchImage(want, pin) })
}

// matchImage tells whether an entry of sockets.images means a pinned image.
func matchImage(want string, pin Pin) bool {
	if name, digest, ok := strings.Cut(want, "@"); ok {
		return digest == pin.Digest && name == repository(pin.Name)
	}
	if name, ok := strings.CutSuffix(want, ":*"); ok {
		return name == repository(pin.Name)
	}
	return want == pin.Name
}

// repository is an image's name without tag and digest.
func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}

// engineName is what people call the engine behind a socket, which is named after it;
// where the name has a wildcard, its directory is.
func engineName(pattern string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(pattern), ".ttrpc"), ".sock")
	if strings.ContainsAny(name, `*?[\`) {
		return path.Base(path.Dir(pattern))
	}
	if name == "buildkitd" {
		return "buildkit"
	}
	return name
}

// AsksForEngine tells whether a rule will ask for the image of a container, which is
// not cheap to find out: because a source is an engine's socket.
func AsksForEngine(cfg Config, facts Facts, spec *specs.Spec) bool {
	if cfg.mode(ruleEngineSocket) == Off {
		return false
	}
	r := request{cfg: cfg, facts: facts, spec: spec}
	for i, m := range spec.Mounts {
		if IsBind(m) && facts.Sources[i].Kind == KindSocket && r.zones().engine(facts.Sources[i]) != nil {
			return true
		}
	}
	return false
}
