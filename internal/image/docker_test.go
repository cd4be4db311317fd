package image

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eci-runtime/eci/policy"
)

func chainOf(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// dockerRoot is the data directory of a dockerd that has the container c, on layers 2
// and 1.
func dockerRoot(t *testing.T, driver string) (root string) {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	db := filepath.Join(root, "image", driver, "layerdb")
	write(t, "m-1", db, "mounts/c/mount-id")
	write(t, "m-1-init", db, "mounts/c/init-id")
	write(t, chainOf(2), db, "mounts/c/parent")
	for i, parent := range []string{"", chainOf(1)} {
		of := filepath.Join(db, "sha256", strings.TrimPrefix(chainOf(i+1), "sha256:"))
		write(t, fmt.Sprintf("cache-%d", i+1), of, "cache-id")
		if parent != "" {
			write(t, parent, of, "parent")
		}
	}
	write(t, `{"Config":{"Image":"docker:cli"}}`, root, "containers/c/config.v2.json")
	if driver == "overlay2" {
		for i, id := range []string{"m-1", "m-1-init", "cache-2", "cache-1", "cache-9"} {
			dirs(t, root, "overlay2/"+id+"/diff", "overlay2/"+id+"/work", "overlay2/l")
			must(t, os.Symlink("../"+id+"/diff", filepath.Join(root, "overlay2/l", fmt.Sprint(i))))
		}
	}
	return root
}

func TestIdentifyByDocker(t *testing.T) {
	for name, tt := range map[string]struct {
		lowers []string
		upper  string
		change func(t *testing.T, root string, q *Query)
		reason string
	}{
		"as it is":           {},
		"by way of a link":   {change: func(t *testing.T, root string, q *Query) { q.DockerRoots = []string{linkTo(t, root)} }},
		"one layer more":     {lowers: []string{"l/1", "l/4", "l/2", "l/3"}, reason: errOther.Error()},
		"another layer":      {lowers: []string{"l/1", "l/2", "l/4"}, reason: errOther.Error()},
		"no init layer":      {lowers: []string{"l/2", "l/3"}, reason: errOther.Error()},
		"another upper":      {upper: "cache-9", reason: errOther.Error()},
		"another container":  {change: func(_ *testing.T, _ string, q *Query) { q.Container = "d" }, reason: "no such file"},
		"a climbing name":    {change: func(_ *testing.T, _ string, q *Query) { q.Container = "../mounts/c" }, reason: "is no ID of docker's"},
		"an unknown root":    {change: func(_ *testing.T, _ string, q *Query) { q.DockerRoots = nil }, reason: "containerd has no snapshot"},
		"a root of its own":  {change: func(t *testing.T, root string, q *Query) { q.DockerRoots = []string{t.TempDir()} }, reason: "containerd has no snapshot"},
		"a path beside it":   {change: func(_ *testing.T, root string, q *Query) { q.Root = root + "/overlay2/m-2/merged" }, reason: errOther.Error()},
		"a path that climbs": {change: func(_ *testing.T, root string, q *Query) { q.Root = root + "/overlay2/../overlay2/m-1/merged" }, reason: errOther.Error()},
		"mounts of its own":  {change: func(_ *testing.T, _ string, q *Query) { q.Rootfs = []Mount{{Type: "bind", Source: "/"}} }, reason: "containerd has no snapshot"},
		"a broken database": {change: func(t *testing.T, root string, _ *Query) {
			write(t, "sha256:../../x", root, "image/overlay2/layerdb/mounts/c/parent")
		}, reason: `holds "sha256:../../x"`},
		"a circle": {change: func(t *testing.T, root string, _ *Query) {
			write(t, chainOf(2), root, "image/overlay2/layerdb/sha256", strings.TrimPrefix(chainOf(1), "sha256:"), "parent")
		}, reason: "more than 500"},
		"no image": {change: func(t *testing.T, root string, _ *Query) {
			must(t, os.Remove(filepath.Join(root, "image/overlay2/layerdb/mounts/c/parent")))
		}, reason: "it was made from no image"},
	} {
		t.Run(name, func(t *testing.T) {
			root := dockerRoot(t, "overlay2")
			lowers, upper := []string{"l/1", "l/2", "l/3"}, "m-1"
			if tt.lowers != nil {
				lowers = tt.lowers
			}
			if tt.upper != "" {
				upper = tt.upper
			}
			q := Query{Container: "c", Root: filepath.Join(root, "overlay2/m-1/merged"), DockerRoots: []string{"/nowhere", root}}
			mountOverlay(t, filepath.Join(root, "overlay2"), q.Root, lowers, upper+"/diff", upper+"/work")
			if tt.change != nil {
				tt.change(t, root, &q)
			}
			store := newStore()
			store.records["c"], store.records["d"], store.records["../mounts/c"] = Record{}, Record{}, Record{}
			checkChain(t, q, store, tt.reason, chainOf(2), chainOf(1))
		})
	}
}

func linkTo(t *testing.T, dir string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	return link
}

func TestIdentifyByDockerVFS(t *testing.T) {
	root := dockerRoot(t, "vfs")
	d := dirs(t, root, "vfs/dir/m-1", "vfs/dir/m-2")
	store := newStore()
	store.records["c"] = Record{}
	q := Query{Container: "c", Root: d[0], DockerRoots: []string{root}}
	checkChain(t, q, store, "", chainOf(2), chainOf(1))
	if got := Identify(t.Context(), q, store).Name; got != "docker:cli" {
		t.Errorf("name %q", got)
	}
	q.Root = d[1]
	checkChain(t, q, store, errOther.Error())
}

// TestDockerRoots: where the policy has layers of single containers, Docker is.
func TestDockerRoots(t *testing.T) {
	cfg := policy.Default()
	for _, p := range []string{"/data/docker/overlay2/*/merged", "/srv/d/vfs/dir/*", "/data/other/overlay2/*/diff"} {
		cfg.Mounts.Rules = append(cfg.Mounts.Rules, policy.PathRule{Path: p, Access: policy.Layers})
	}
	cfg.Mounts.Rules = append(cfg.Mounts.Rules, policy.PathRule{Path: "/no/vfs/dir/*", Access: policy.Excepted})
	if got, want := DockerRoots(cfg), []string{"/var/lib/docker", "/data/docker", "/srv/d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
