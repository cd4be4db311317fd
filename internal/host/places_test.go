package host

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
	"github.com/eci-runtime/eci/policy"
)

// tree is a small host: the names of links have an arrow in them, and behind it,
// where they lead; those of user 1000 begin with "1000:".
func tree(t *testing.T, entries ...string) *resolver {
	t.Helper()
	linuxtest.Root(t)
	root := linuxtest.Dir(t)
	for _, e := range entries {
		e, user := strings.CutPrefix(e, "1000:")
		name, target, link := strings.Cut(e, " -> ")
		switch {
		case link:
			must(t, os.MkdirAll(parent(root+name, 1), 0o755))
			must(t, os.Symlink(target, root+name))
		case strings.HasSuffix(name, "/"):
			dir(t, root+name)
		default:
			file(t, root+name)
		}
		if user {
			must(t, os.Lchown(root+name, 1000, 1000))
		}
	}
	f, err := os.OpenFile(root, unix.O_PATH, 0)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return newResolver(f)
}

func TestResolve(t *testing.T) {
	linuxtest.NoLeak(t)
	r := tree(t,
		"/run/docker.sock", "/var/run -> ../run", "/var/lib/", "/a/b/c/", "/abs -> /a/b", "/abs2 -> /abs/c/../c/",
		"/loop -> /loop2", "/loop2 -> loop", "/gone -> /a/none/x", "/up -> ../../../a",
		"1000:/user -> /a", "/via -> /user/b", "/dot -> ./a/./b//c", "/file/link -> /run/docker.sock",
	)
	for _, tt := range []struct {
		path, want     string
		exists, steady bool
	}{
		{"/run/docker.sock", "/run/docker.sock", true, true},
		{"/var/run/docker.sock", "/run/docker.sock", true, true},
		{"/var/run/none/x", "/run/none/x", false, true},
		{"/abs/c/none", "/a/b/c/none", false, true},
		{"/abs2", "/a/b/c", true, true},
		{"/abs2/d", "/a/b/c/d", false, true},
		{"/up/b", "/a/b", true, true},
		{"/gone", "/a/none/x", false, true},
		{"/gone/deeper", "/a/none/x/deeper", false, true},
		{"/user/b", "/a/b", true, false},
		{"/via", "/a/b", true, false},
		{"/via/c", "/a/b/c", true, false},
		{"/dot", "/a/b/c", true, true},
		{"/run/docker.sock/below", "/run/docker.sock/below", false, true},
		{"/file/link", "/run/docker.sock", true, true},
		{"/", "/", true, true},
	} {
		got := r.of(tt.path)
		if got.path != tt.want || got.exists != tt.exists || got.steady != tt.steady {
			t.Errorf("%s leads to %+v, want %s, %t, %t", tt.path, got, tt.want, tt.exists, tt.steady)
		}
	}
	for _, path := range []string{"/loop", "/loop/x", "/loop2"} {
		if got := r.of(path); got.exists {
			t.Errorf("%s leads to %+v", path, got)
		}
	}
}

func TestPlaces(t *testing.T) {
	linuxtest.NoLeak(t)
	r := tree(t,
		"/run/docker.sock", "/var/run -> /run", "/data/docker/", "/var/lib/docker -> /data/docker",
		"/home/a/.ssh/", "1000:/home/b -> /data/b", "/data/b/.ssh/", "/data/[odd]/.ssh/", "/home/c -> /data/[odd]",
		"/pool/a/layers -> /ssd/layers", "/ssd/layers/", "1000:/pool/b/layers -> /etc", "/pool/c/layers/",
		"1000:/srv/mine -> /etc", "/etc/shadow", "/srv/ours -> /data/b",
	)
	must(t, os.Link(r.root.Name()+"/run/docker.sock", r.root.Name()+"/run/other.sock"))
	id := r.of("/run/docker.sock").stat
	sock := []policy.FileID{{Device: id.Dev, Inode: id.Ino}}
	cfg := policy.Config{
		Mounts: policy.Mounts{
			Rules: []policy.PathRule{
				{Path: "/var/run/docker.sock", Access: policy.Restricted},
				{Path: "/var/lib/docker", Access: policy.Restricted},
				{Path: "/var/lib/docker/volumes/*/_data", Access: policy.Excepted},
				{Path: "/home/*/.ssh", Access: policy.Masked},
				{Path: "/srv/mine/x", Access: policy.Excepted},
				{Path: "/none", Access: policy.Layers},
				{Path: "/pool/*/layers", Access: policy.Layers},
			},
			Only: []string{"/srv/mine", "/srv/ours"},
		},
		Sockets: policy.Sockets{Engines: []string{"/run/*.sock"}},
	}
	want := map[string]policy.Location{
		"/var/run/docker.sock":            {Path: "/run/docker.sock", Files: sock},
		"/var/lib/docker":                 {Path: "/data/docker"},
		"/var/lib/docker/volumes/*/_data": {Path: "/data/docker/volumes/*/_data"},
		"/home/*/.ssh":                    {Path: "/home/*/.ssh", Also: []string{`/data/\[odd]/.ssh`, "/data/b/.ssh"}},
		"/srv/mine/x":                     {Path: "/srv/mine/x"}, // the link is a user's
		"/none":                           {Path: "/none"},
		"/pool/*/layers":                  {Path: "/pool/*/layers", Also: []string{"/ssd/layers"}},
		"/srv/mine":                       {Path: "/srv/mine"},
		"/srv/ours":                       {Path: "/data/b"},
		"/run/*.sock":                     {Path: "/run/*.sock", Files: append(sock, sock...)},
	}
	got := r.places(cfg)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSplitPattern(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"/a/b":      "/a/b|",
		"/a/*/b":    "/a/|/*/b",
		"/*":        "/|/*",
		"/a/b*":     "/a/|/b*",
		`/a/\*/b/c`: `/a/|/\*/b/c`,
	} {
		plain, rest := splitPattern(pattern)
		if got := plain + "|" + rest; got != want {
			t.Errorf("%s is split into %s, want %s", pattern, got, want)
		}
	}
}
