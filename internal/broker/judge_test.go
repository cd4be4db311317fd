package broker

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/policy"
)

// TestRoutesKnowTheCommands walks both tables: no route has a command that nobody can
// name, and every command has a route, or a list with it would have no effect.
func TestRoutesKnowTheCommands(t *testing.T) {
	carriedOut := map[string]bool{}
	for _, r := range routes {
		for _, command := range r.does {
			carriedOut[command] = true
		}
		for _, command := range slices.Concat(r.does, r.also, r.serves) {
			if !slices.Contains(policy.DockerCommands(), command) {
				t.Errorf("%s %s: %q is no command", r.method, r.path, command)
			}
		}
		if len(r.does) == 0 && r.path != "/_ping" {
			t.Errorf("%s %s carries out no command", r.method, r.path)
		}
	}
	for _, command := range policy.DockerCommands() {
		if !carriedOut[command] {
			t.Errorf("no route carries out %q", command)
		}
	}
}

// TestRoutesAreSeparate wants one route for each request: a second one would be found
// by a client, not by a reader.
func TestRoutesAreSeparate(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range routes {
		key := r.method + " " + r.path + " " + r.query
		if seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
		if path := strings.ReplaceAll(r.path, "*", "a"); !match(r.path, path) || match(r.path, path+"/b/c/d") && !strings.HasSuffix(r.path, "*") {
			t.Errorf("%s does not match what it should", key)
		}
	}
}

func TestJudge(t *testing.T) {
	deny := func(list ...string) policy.Commands { return policy.Commands{Type: "deny", List: list} }
	allow := func(list ...string) policy.Commands { return policy.Commands{Type: "allow", List: list} }
	for _, tt := range []struct {
		commands policy.Commands
		request  string // method, path, query
		pass     bool
	}{
		{policy.Commands{}, "GET /version", false}, // the zero value denies
		{deny(), "POST /v1.47/images/docker.io/library/a:1/push", true},
		{deny("push"), "POST /v1.47/images/docker.io/library/a:1/push", false},
		{deny("image push"), "POST /images/a/push", false},
		{deny("image*"), "POST /images/a/push", false},
		{deny("p*"), "POST /images/a/push", false},
		{deny("*"), "GET /version", false},
		{deny("*"), "GET /_ping", true},
		{deny("pull"), "POST /images/a/push", true},
		{deny("push"), "POST /plugins/a/push", true},
		{deny("plugin*"), "POST /plugins/a/push", false},

		// What can do the work of a denied command is denied.
		{deny("push"), "POST /grpc", false},
		{deny("push"), "POST /build", true},
		{deny("push"), "POST /build outputs=x", false},
		{deny("pull"), "POST /build", false},
		{deny("build"), "POST /session", false},
		{deny("buildx build"), "POST /grpc", false},
		{deny("run"), "POST /containers/create", false},
		{deny("run"), "POST /containers/a/start", true},
		{deny("ps"), "GET /containers/json", false},
		{deny("inspect"), "GET /containers/a/json", false},
		{deny("inspect"), "GET /volumes/a", false},
		{deny("system prune"), "POST /volumes/prune", false},
		{deny("cp"), "PUT /containers/a/archive", false},
		{deny("exec"), "POST /exec/a/start", false},

		// An engine takes fromImage or fromSrc, and which one is its own affair.
		{deny("pull"), "POST /images/create fromImage=a", false},
		{deny("pull"), "POST /images/create fromSrc=-", true},
		{deny("pull"), "POST /images/create fromSrc=-&fromImage=", true},
		{deny("pull"), "POST /images/create fromSrc=-&fromImage=a", false},
		{deny("import"), "POST /images/create fromImage=a", true},
		{deny("import"), "POST /images/create fromImage=a&fromSrc=-", false},
		{deny("import"), "POST /images/create fromImage=&fromImage=a", false},
		{deny("run"), "POST /services/create", false},
		{deny("import"), "POST /images/create", false},

		// Names may hold what looks like another request. Every reading counts.
		{deny("push"), "POST /images/a/push/push", false},
		{deny("push"), "POST /images/a/push/tag", true},
		{deny("logs"), "GET /containers/a/logs/json", true},
		{deny("rm"), "DELETE /containers/a/checkpoints/b", false},
		{allow("rm"), "DELETE /containers/a/checkpoints/b", false},
		{allow("rm", "checkpoint rm"), "DELETE /containers/a/checkpoints/b", true},

		{deny("push"), "POST /libpod/images/a/push", false},
		{deny("push"), "POST /v4.0.0/libpod/images/a/push", false},
		{deny("push"), "POST /v1.47/v1.47/images/a/push", false},
		{deny("push"), "POST /v1.47x/images/a/tag", false},
		{deny("push"), "POST /Images/a/tag", false},
		{deny("push"), "PATCH /images/a/tag", false},
		{deny("push"), "GET /debug/pprof", false},
		{deny("push"), "GET /", false},
		{deny("push"), "POST /images/push", false},

		{allow(), "GET /version", true},
		{allow(), "GET /info", true},
		{allow(), "HEAD /_ping", true},
		{allow(), "GET /events", false},
		{allow("push"), "POST /images/a/push", true},
		{allow("push"), "POST /grpc", false},
		{allow("build"), "POST /grpc", true},
		{allow("build"), "POST /build outputs=x", true},
		{allow("push"), "POST /build outputs=x", false},
		{allow("run"), "POST /containers/create", true},
		{allow("run"), "POST /containers/a/attach", true},
		{allow("run"), "POST /containers/a/wait", true},
		{allow("run"), "POST /containers/a/exec", false},
		{allow("run"), "POST /images/create fromImage=a", false},
		{allow("exec"), "GET /containers/a/json", true},
		{allow("exec"), "GET /images/a/json", false},
		{allow("container*"), "POST /containers/a/exec", true},
		{allow("pull"), "POST /images/create fromImage=a", true},
		{allow("pull"), "POST /images/create fromImage=a&fromSrc=-", false},
		{allow("pull"), "POST /images/create", false},
	} {
		method, rest, _ := strings.Cut(tt.request, " ")
		path, raw, _ := strings.Cut(rest, " ")
		query, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatal(err)
		}
		if v := judge(tt.commands, method, path, query); v.pass != tt.pass || v.pass == (v.why != "") {
			t.Errorf("%+v: %s: got %+v", tt.commands, tt.request, v)
		}
	}
}
