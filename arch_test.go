package eci_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/eci-runtime/eci"

// containerdShim is the part of containerd that this project embeds. It is no
// library: its names move between releases.
const containerdShim = "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"

// A room is a package that may exist, and what it may import beside the standard
// library. What no room names is not allowed: a new package needs a row here.
type room struct {
	dir   string   // below the module; "…/..." stands for everything below, too
	ours  []string // packages of the module
	other []string // modules of others, or packages in them; "..." is all
	why   string
}

// rooms are in the order of docs/architecture.md: each one knows only those that
// stand below it.
var rooms = []room{
	{
		dir: ".",
		why: "holds the tests of the architecture, which parse; nothing imports it",
	},
	{
		dir:  "cmd/containerd-shim-eci-v2",
		ours: []string{"shim"},
		why:  "is a main of a few lines; everything is in package shim, where it is tested",
	},
	{
		dir: "cmd/eci",
		ours: []string{
			"policy", "idmap", "internal/audit", "internal/broker", "internal/conf", "internal/engine", "internal/host", "internal/image", "internal/kube",
			"internal/linux", "internal/metrics", "internal/setup", "internal/sysctl",
		},
		other: []string{
			"github.com/containerd",
			"github.com/opencontainers/image-spec/identity",
			"github.com/opencontainers/runtime-spec/specs-go",
			"github.com/pelletier/go-toml/v2",
			"github.com/spf13/cobra",
			"golang.org/x/sys/unix",
		},
		why: "shows the administrator what the runtime would do, by the same functions",
	},
	{
		dir:  "shim",
		ours: []string{"policy", "idmap", "internal/seccomp", "internal/pseudofs", "internal/sysctl", "internal/audit", "internal/conf", "internal/host", "internal/image", "internal/linux"},
		other: []string{
			"github.com/containerd",
			"github.com/moby/sys/mountinfo",
			"github.com/opencontainers/runtime-spec/specs-go",
			"github.com/pelletier/go-toml/v2",
			"golang.org/x/sys/unix",
			"google.golang.org/protobuf",
		},
		why: "is the imperative shell: it alone speaks to containerd, and it calls everyone else",
	},
	{
		dir: "policy",
		other: []string{
			"github.com/opencontainers/runtime-spec/specs-go",
			"github.com/pelletier/go-toml/v2",
		},
		why: "is the pure core: every decision is a function of values, so that it can be tested on any machine",
	},
	{
		dir:   "idmap",
		ours:  []string{"internal/linux"},
		other: []string{"github.com/moby/sys/mountinfo", "golang.org/x/sys/unix"},
		why:   "maps identities for whoever asks; it knows neither containerd nor a policy",
	},
	{
		dir:  "internal/host",
		ours: []string{"policy", "idmap", "internal/linux"},
		other: []string{
			"github.com/moby/sys/mountinfo",
			"github.com/opencontainers/runtime-spec/specs-go",
			"golang.org/x/sys/unix",
		},
		why: "opens and describes what a spec names, for the shim and for the administrator's command; it judges nothing",
	},
	{
		dir:   "internal/seccomp",
		ours:  []string{"policy", "internal/linux"},
		other: []string{"github.com/opencontainers/runtime-spec/specs-go", "golang.org/x/sys/unix"},
		why:   "answers what the kernel asks, as the policy says",
	},
	{
		dir:   "internal/pseudofs",
		ours:  []string{"internal/linux"},
		other: []string{"github.com/hanwen/go-fuse/v2", "golang.org/x/sys/unix"},
		why:   "renders files from numbers that it is given",
	},
	{
		dir:   "internal/sysctl",
		ours:  []string{"internal/linux"},
		other: []string{"golang.org/x/sys/unix"},
		why:   "raises settings of the host while somebody asks; who may, and how far, it is told",
	},
	{
		dir:   "internal/conf",
		ours:  []string{"policy", "internal/linux"},
		other: []string{"golang.org/x/sys/unix"},
		why:   "reads what only root could have written; what it means is the policy's business",
	},
	{
		dir:   "internal/audit",
		ours:  []string{"policy", "internal/linux"},
		other: []string{"golang.org/x/sys/unix"},
		why:   "writes down what was decided, and decides nothing",
	},
	{
		dir:   "internal/image",
		ours:  []string{"policy", "idmap", "internal/linux"},
		other: []string{"github.com/moby/sys/mountinfo", "golang.org/x/sys/unix"},
		why:   "proves what a container was made from; whom to ask it is told, so that the shim can link its types",
	},
	{
		dir:  "internal/engine",
		ours: []string{"policy", "internal/image"},
		other: []string{
			"github.com/containerd",
			"github.com/distribution/reference",
			"github.com/opencontainers/go-digest",
			"github.com/opencontainers/image-spec/identity",
		},
		why: "asks engines over gRPC and HTTP, which the shim must not link",
	},
	{
		dir:   "internal/broker",
		ours:  []string{"policy"},
		other: []string{"golang.org/x/sys/unix"},
		why:   "reads and writes HTTP between a container and an engine, which the shim must not link",
	},
	{
		dir:   "internal/setup",
		other: []string{"github.com/pelletier/go-toml/v2"},
		why:   "edits files, and knows of engines no more than the form of their configuration",
	},
	{
		dir: "internal/metrics",
		why: "writes figures that it is given, and serves them",
	},
	{
		dir: "internal/kube",
		why: "labels a node of Kubernetes, over HTTP, which the shim must not link",
	},
	{
		dir:   "internal/linux",
		other: []string{"golang.org/x/sys/unix"},
		why:   "wraps system calls, and knows nothing else",
	},
	{
		dir:   "internal/linux/linuxtest",
		ours:  []string{"internal/linux"},
		other: []string{"golang.org/x/sys/unix"},
		why:   "is what tests of several packages share: only _test.go files import it",
	},
	{
		dir:   "integration/...",
		ours:  []string{"integration/..."},
		other: []string{"..."},
		why:   "tests a black box: what imports the code under test believes what it believes",
	},
	{
		dir: "tools/sbom",
		why: "prints what the linker has written into programs",
	},
	{
		dir: "tools/ocitar",
		why: "packs programs into an image",
	},
	{
		dir: "tools/kubernetes",
		other: []string{
			"github.com/spf13/cobra",
			"go.etcd.io/etcd/server/v3/etcdmain",
			"k8s.io",
		},
		why: "is Kubernetes in one program, in a module of its own",
	},
}

// What every _test.go file may import beside the row of its room.
var (
	testOurs  = []string{"internal/linux/linuxtest"}
	testOther = []string{"github.com/google/go-cmp"}
)

// A ban forbids what a room would else allow.
type ban struct {
	imports string   // a package, or a folder of them
	in      []string // rooms; none: in all of them
	except  []string // rooms that are free of it
	files   int      // how many files of a room that is free of it may have the import; 0: any number
	tests   bool     // forbidden in _test.go files, too
	why     string
}

var bans = []ban{
	{imports: "C", tests: true, why: "the binary is static and starts in milliseconds (CGO_ENABLED=0)"},
	{imports: "unsafe", except: []string{"internal/linux", "integration/..."}, tests: true, why: "what can corrupt memory stands in one small package, for one careful review"},
	{imports: "github.com/containerd", except: []string{"shim", "cmd/eci", "internal/engine", "integration/..."}, tests: true, why: "a new containerd must be a change of package shim alone"},
	{imports: containerdShim, except: []string{"shim"}, files: 2, tests: true, why: "it is no stable API: what touches it is kept in two files"},
	{imports: "os/exec", except: []string{"shim", "cmd/eci", "internal/linux/linuxtest", "integration/..."}, why: "the shim reaps every child of the process; one that it did not start itself is waited for twice"},
	{imports: "net/http", except: []string{"internal/engine", "internal/broker", "internal/kube", "internal/metrics", "integration/..."}, why: "linked into the shim, it would be initialised three times for every container"},
	{imports: "os/exec", in: []string{"policy"}, tests: true, why: "a decision depends on values only"},
	{imports: "os", in: []string{"policy"}, why: "a decision depends on values only; what it must know of the host is a fact that it is given"},
	{imports: "io/fs", in: []string{"policy"}, why: "a decision depends on values only"},
	{imports: "net", in: []string{"policy"}, why: "a decision depends on values only"},
	{imports: "syscall", in: []string{"policy"}, why: "a decision depends on values only"},
	{imports: "path/filepath", in: []string{"policy"}, why: "half of it looks at the host (EvalSymlinks, Abs, Glob); package path is pure"},
	{imports: "net", in: []string{"idmap", "internal/linux"}, why: "nothing there speaks to anybody"},
	{imports: "testing", except: []string{"internal/linux/linuxtest", "integration/..."}, why: "it would be linked into the shim"},
	{imports: "log", except: []string{"internal/broker", "internal/pseudofs"}, why: "containerd reads the shim's log as fields: github.com/containerd/log"},
}

// within tells whether a package is another one or lies below it.
func within(pkg, folder string) bool {
	return pkg == folder || strings.HasPrefix(pkg, folder+"/")
}

// roomOf finds the row of a folder.
func roomOf(dir string) (room, bool) {
	for _, r := range rooms {
		if prefix, all := strings.CutSuffix(r.dir, "/..."); dir == r.dir || all && within(dir, prefix) {
			return r, true
		}
	}
	return room{}, false
}

// judge says why a file in dir may not have an import, or "" if it may.
func judge(dir, path string, test bool) string {
	r, ok := roomOf(dir)
	if !ok {
		return "its package is in no row of rooms: add one that says what it may import, and why"
	}
	for _, b := range bans {
		applies := len(b.in) == 0 || slices.Contains(b.in, r.dir)
		if within(path, b.imports) && applies && !slices.Contains(b.except, r.dir) && (b.tests || !test) {
			return b.why
		}
	}
	denied := fmt.Sprintf("not in the row of %s, which %s", r.dir, r.why)
	switch first, _, _ := strings.Cut(path, "/"); {
	case within(path, module):
		own := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		target, ok := roomOf(own)
		allowed := slices.Contains(r.ours, target.dir) || test && slices.Contains(testOurs, target.dir)
		if own != dir && !(ok && allowed) {
			return denied
		}
	case strings.Contains(first, "."): // not the standard library
		allows := func(other string) bool { return other == "..." || within(path, other) }
		if !slices.ContainsFunc(r.other, allows) && !(test && slices.ContainsFunc(testOther, allows)) {
			return denied
		}
	}
	return ""
}

// TestImports holds every file to the tables above.
func TestImports(t *testing.T) {
	count := map[string]int{} // room and ban → files
	for _, s := range sources(t) {
		banned := map[string]bool{}
		for _, path := range s.imports {
			if why := judge(s.dir, path, s.test); why != "" {
				t.Errorf("%s imports %s: %s", s.path, path, why)
			}
			for _, b := range bans {
				if r, _ := roomOf(s.dir); b.files > 0 && within(path, b.imports) && slices.Contains(b.except, r.dir) {
					banned[r.dir+" "+b.imports] = true
				}
			}
		}
		for key := range banned {
			count[key]++
		}
	}
	for _, b := range bans {
		for _, dir := range b.except {
			if n := count[dir+" "+b.imports]; b.files > 0 && n > b.files {
				t.Errorf("%d files of %s import %s, at most %d may: %s", n, dir, b.imports, b.files, b.why)
			}
		}
	}
}

// TestRooms proves that the tables bite, also before the packages exist that they
// are about, and that they name only rooms.
func TestRooms(t *testing.T) {
	for _, tt := range []struct {
		dir, path string
		test      bool
		allowed   bool
	}{
		{"cmd/containerd-shim-eci-v2", module + "/shim", false, true},
		{"cmd/containerd-shim-eci-v2", module + "/policy", false, false},
		{"shim", module + "/idmap", false, true},
		{"shim", module + "/internal/pseudofs", false, true},
		{"shim", module + "/cmd/eci", false, false},
		{"shim", module + "/integration/testbed", true, false},
		{"shim", containerdShim + "/task", false, true},
		{"shim", "github.com/sirupsen/logrus", false, false},
		{"policy", "os", false, false},
		{"policy", "os", true, true},
		{"policy", "net/netip", false, false},
		{"policy", module + "/internal/linux", false, false},
		{"policy", module + "/idmap", true, false},
		{"policy", module + "/policy", true, true},
		{"policy", "github.com/google/go-cmp/cmp", true, true},
		{"policy", "github.com/google/go-cmp/cmp", false, false},
		{"idmap", module + "/internal/linux", false, true},
		{"idmap", module + "/policy", false, false},
		{"idmap", "unsafe", false, false},
		{"idmap", "github.com/containerd/errdefs", false, false},
		{"internal/seccomp", module + "/policy", false, true},
		{"internal/pseudofs", module + "/policy", false, false},
		{"idmap", module + "/internal/linux/linuxtest", true, true},
		{"idmap", module + "/internal/linux/linuxtest", false, false},
		{"internal/linux", "unsafe", false, true},
		{"internal/linux", module + "/idmap", false, false},
		{"internal/linux", "C", true, false},
		{"shim", module + "/internal/image", false, true},
		{"shim", module + "/internal/engine", false, false},
		{"shim", module + "/internal/broker", false, false},
		{"shim", module + "/internal/setup", false, false},
		{"shim", module + "/internal/metrics", false, false},
		{"internal/setup", "os/exec", false, false},
		{"internal/kube", "net/http", false, true},
		{"shim", "net/http", false, false},
		{"internal/engine", "net/http", false, true},
		{"internal/image", "github.com/containerd/containerd/v2/client", false, false},
		{"integration", containerdShim + "/runc", true, false},
		{"integration/testbed", "github.com/containerd/containerd/v2/client", false, true},
		{"integration/bench", module + "/integration/testbed", false, true},
		{"integration", module + "/idmap", true, false},
		{"somewhere/else", "fmt", false, false},
	} {
		if why := judge(tt.dir, tt.path, tt.test); (why == "") != tt.allowed {
			t.Errorf("%s importing %s (test: %t): got %q", tt.dir, tt.path, tt.test, why)
		}
	}
	known := func(dir string) bool {
		return slices.ContainsFunc(rooms, func(r room) bool { return r.dir == dir })
	}
	for _, r := range rooms {
		for _, dir := range r.ours {
			if !known(dir) {
				t.Errorf("the row of %s names %s, which is no room", r.dir, dir)
			}
		}
	}
	for _, b := range bans {
		for _, dir := range slices.Concat(b.in, b.except) {
			if !known(dir) {
				t.Errorf("the ban of %s names %s, which is no room", b.imports, dir)
			}
		}
	}
}
