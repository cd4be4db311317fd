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
		"/vol/here -> /a", "/out -> /vol/here/b", "/back -> /vol/here/../run", "/vol/plain/",
	)
	r.guarded = func(dir string) bool { return !strings.HasPrefix(dir, "/vol") }
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
		{"/vol/here", "/a", true, false}, // a container may have made it
		{"/vol/here/b/c", "/a/b/c", true, false},
		{"/out", "/a/b", true, false},
		{"/back/docker.sock", "/run/docker.sock", true, false},
		{"/vol/plain/x", "/vol/plain/x", false, true},
		{"/", "/", true, true},
	} {
		got := r.of(tt.path)
		if got.path != tt.want || got.exists != tt.exists || r.steady(got) != tt.steady {
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
		"1000:/srv/mine -> /etc", "/etc/shadow", "/srv/ours -> /data/b", "/ours -> /data/b",
		"/pool/a/v1.x -> /ssd/x", "/ssd/x/snapshots/1/fs/", "1000:/pool/b/v1.x/snapshots -> /srv", "/pool/b/v1.y/snapshots/",
		"/vol/mine -> /data/mine", "/data/mine/secret/x/", "/data/mine/secret/x/a -> /etc",
		"/bin -> usr/bin", "/usr/bin/", "/etc/group", "/pool/a/tools -> /usr/bin", "1000:/pool/b/tools -> /etc",
		"/gone -> /nowhere", "/loop -> /loop",
	)
	must(t, os.Link(r.root.Name()+"/run/docker.sock", r.root.Name()+"/run/other.sock"))
	files := func(name string) []policy.FileID {
		st := r.of(name).stat
		return []policy.FileID{{Device: st.Dev, Inode: st.Ino}}
	}
	sock := files("/run/docker.sock")
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
				{Path: "/pool/*/v1.*/snapshots/*/fs", Access: policy.Layers},
				{Path: "/vol/mine/secret", Access: policy.Restricted},
				{Path: "/vol/mine/secret/open", Access: policy.Excepted},
				{Path: "/pool", Access: policy.Restricted},
				{Path: "/srv/mine/x/open/link/y", Access: policy.Excepted},
				{Path: "/bin", Access: policy.Readable},
				{Path: "/etc/group", Access: policy.Readable},
				{Path: "/srv/mine/bin", Access: policy.Readable},
				{Path: "/pool/?/tools", Access: policy.Readable},
				{Path: "/none/secret", Access: policy.Masked},
				{Path: "/etc/shadow/below", Access: policy.Masked},
				{Path: "/none*/secret", Access: policy.Masked},
				{Path: "/gone/secret", Access: policy.Masked},
				{Path: "/loop/secret", Access: policy.Masked},
			},
			Only: []string{"/srv/mine", "/srv/ours", "/ours", "/vol/mine/secret/x/a"},
		},
		Sockets: policy.Sockets{Engines: []string{"/run/*.sock"}},
	}
	want := map[string]policy.Location{
		"/var/run/docker.sock":            {Path: "/run/docker.sock", Files: sock, Links: []string{"/var/run"}},
		"/var/lib/docker":                 {Path: "/data/docker", Links: []string{"/var/lib/docker"}},
		"/var/lib/docker/volumes/*/_data": {Path: "/data/docker/volumes/*/_data"},
		"/home/*/.ssh":                    {Path: "/home/*/.ssh", Also: []string{`/data/\[odd]/.ssh`, "/data/b/.ssh"}, Links: []string{"/home/b", "/home/c"}},
		"/srv/mine/x":                     {Path: "/srv/mine/x"}, // the link is a user's
		"/none":                           {Path: "/none"},
		"/pool/*/layers":                  {Path: "/pool/*/layers"}, // the last wildcard is for single layers
		"/pool/*/v1.*/snapshots/*/fs":     {Path: "/pool/*/v1.*/snapshots/*/fs", Also: []string{"/ssd/x/snapshots/*/fs"}},
		"/vol/mine/secret":                {Path: "/data/mine/secret", Links: []string{"/vol/mine"}},
		"/vol/mine/secret/open":           {Path: "/data/mine/secret/open"}, // nobody gets the link to write
		"/pool":                           {Path: "/pool"},
		"/srv/mine/x/open/link/y":         {Path: "/srv/mine/x/open/link/y"},
		"/ours":                           {Path: "/data/b"},
		"/vol/mine/secret/x/a":            {Path: "/etc"},
		"/bin":                            {Path: "/usr/bin"},
		"/etc/group":                      {Path: "/etc/group", Files: files("/etc/group")},
		"/srv/mine/bin":                   {Path: "/srv/mine/bin"}, // it permits reading, too
		"/pool/?/tools":                   {Path: "/pool/?/tools", Also: []string{"/usr/bin"}},
		"/none/secret":                    {Path: "/none/secret", Missing: true},
		"/etc/shadow/below":               {Path: "/etc/shadow/below", Missing: true},
		"/none*/secret":                   {Path: "/none*/secret", Missing: true},
		"/gone/secret":                    {Path: "/nowhere/secret", Missing: true, Links: []string{"/gone"}},
		"/loop/secret":                    {Path: "/loop/secret", Links: []string{"/loop"}}, // nobody can tell
		"/srv/mine":                       {Path: "/srv/mine"},
		"/srv/ours":                       {Path: "/srv/ours"}, // a container may have made the link
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
