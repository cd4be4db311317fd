package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"

	"github.com/eci-runtime/eci/policy"
)

// mounts is a mount table of a host.
const mounts = `22 27 0:21 / /proc rw - proc proc rw
27 1 8:1 / / rw - ext4 /dev/sda1 rw
30 27 8:2 / /data rw - xfs /dev/sdb rw
31 27 8:1 /etc /srv/alias rw - ext4 /dev/sda1 rw
32 30 8:2 /docker /var/lib/docker rw - xfs /dev/sdb rw
33 30 8:2 /file /run/one\040file rw - xfs /dev/sdb rw
34 27 0:40 / /home rw - btrfs /dev/sdc rw
35 34 0:40 /home/u /mnt/u rw - btrfs /dev/sdc rw
36 27 0:50 / /srv/merged rw - overlay overlay rw,lowerdir=/data/low\134:er:l/rel,upperdir=/data/up,workdir=/data/work
37 27 0:50 /sub /srv/sub rw - overlay overlay rw,lowerdir=/data/low\134:er:l/rel,upperdir=/data/up,workdir=/data/work
38 27 0:60 / /database rw - tmpfs t rw
`

func tableOf(t testing.TB, text string) *table {
	t.Helper()
	all, err := mountinfo.GetMountsFromReader(strings.NewReader(text), nil)
	must(t, err)
	return newTable(all)
}

func TestNames(t *testing.T) {
	t.Parallel()
	table := tableOf(t, mounts)
	for _, tt := range []struct {
		path  string
		mount uint64
		want  string // names
		held  string // "<name below>=<other name>"
	}{
		{"/etc/shadow", 27, "/etc/shadow /srv/alias/shadow", ""},
		{"/srv/alias/shadow", 31, "/srv/alias/shadow /etc/shadow", ""},
		{"/srv/alias", 31, "/srv/alias /etc", ""},
		{"/", 27, "/", ""}, // what is shown elsewhere is shown below it
		{"/proc/1", 22, "/proc/1", ""},
		{"/data", 30, "/data", "/data/docker=/var/lib/docker /data/file=/run/one file /data/up=/srv/merged /data/up/sub=/srv/sub"},
		{"/data/docker/volumes", 30, "/data/docker/volumes /var/lib/docker/volumes", ""},
		{"/run/one file", 33, "/run/one file /data/file", ""},
		{"/mnt/u", 35, "/mnt/u /home/home/u", ""},
		{"/home", 34, "/home", "/home/home/u=/mnt/u"},
		{"/home/home/user", 34, "/home/home/user", ""},
		{"/srv/merged/sub/x", 36, "/srv/merged/sub/x /srv/sub/x", ""},
		{"/data/up/sub/x", 30, "/data/up/sub/x /srv/merged/sub/x /srv/sub/x", ""},
		{"/database/x", 38, "/database/x", ""},
	} {
		at, ok := table.object(tt.path, tt.mount)
		if !ok {
			t.Errorf("%s is not found", tt.path)
			continue
		}
		names := table.names(at)
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("names of %s: %s, want %s", tt.path, got, tt.want)
		}
		var held []string
		for _, m := range table.held(at, names) {
			held = append(held, strings.Join(m.Paths, "="))
		}
		if got := strings.Join(held, " "); got != tt.held {
			t.Errorf("parts of %s: %s, want %s", tt.path, got, tt.held)
		}
	}
	for path, mount := range map[string]uint64{"/etc": 99, "/data": 31} {
		if _, ok := table.object(path, mount); ok {
			t.Errorf("%s was found in mount %d", path, mount)
		}
	}
}

func TestBelow(t *testing.T) {
	t.Parallel()
	var got []string
	for _, m := range tableOf(t, mounts).below("/srv") {
		got = append(got, m.path+" "+m.inner)
	}
	if diff := cmp.Diff([]string{"/srv/alias /etc", "/srv/merged /", "/srv/sub /sub"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path, dir string
		want      bool
		beyond    string
	}{
		{"/a/b", "/a", true, "/b"},
		{"/a", "/a", true, ""},
		{"/ab", "/a", false, ""},
		{"/a", "/a/b", false, ""},
		{"/a", "/", true, "/a"},
		{"/", "/", true, ""},
	} {
		if got := within(tt.path, tt.dir); got != tt.want {
			t.Errorf("within(%s, %s) is %t", tt.path, tt.dir, got)
		}
		if !tt.want {
			continue
		}
		if got := beyond(tt.path, tt.dir); got != tt.beyond || under(tt.dir, got) != tt.path {
			t.Errorf("beyond(%s, %s) is %q, and back %q", tt.path, tt.dir, got, under(tt.dir, got))
		}
	}
}

func TestReaches(t *testing.T) {
	t.Parallel()
	dirs := []ownDir{{"state", "/run/eci", false}, {"root", "/var/lib/containerd", true}}
	for want, source := range map[string]policy.Source{
		"":      {Paths: []string{"/srv", "/run/ecix", "/var/lib/containerd/x"}},
		"state": {Paths: []string{"/srv", "/run/eci/ranges"}},
		"root":  {Paths: []string{"/x"}, Below: []policy.Submount{{Paths: []string{"/x/y", "/var/lib"}}}},
	} {
		if got := reaches(source, dirs, ""); got != want {
			t.Errorf("%+v reaches %q, want %q", source, got, want)
		}
	}
	layers := policy.Source{Layers: [][]string{{"/a"}, {"/b", "/run/eci"}}}
	if got := reaches(layers, dirs, ""); got != "state" {
		t.Errorf("by its layers it reaches %q", got)
	}
	if got := reaches(policy.Source{Paths: []string{"/run/eci"}}, dirs, "/run/eci"); got != "" {
		t.Errorf("the exception reaches %q", got)
	}
}

// TestHostsOwnOverlay: a live system, or a container that is a host itself, has layers
// whose names mean nothing here.
func TestHostsOwnOverlay(t *testing.T) {
	t.Parallel()
	o := &observer{table: tableOf(t, `1 0 0:9 / / rw - overlay o rw,lowerdir=/none:rel
2 1 0:9 /srv /alias rw - overlay o rw,lowerdir=/none:rel
3 1 0:10 / /other rw - overlay o rw,lowerdir=/none:rel
`)}
	for path, mount := range map[string]uint64{"/srv/x": 1, "/alias": 2} {
		at, _ := o.table.object(path, mount)
		if got := o.layers(at, steadily); got != nil {
			t.Errorf("%s has the layers %q", path, got)
		}
	}
	other, _ := o.table.object("/other", 3)
	none := func(*observer, *mountinfo.Info, string) (object, bool) { return object{}, false }
	if diff := cmp.Diff([][]string{{unknownLayer}, {unknownLayer}}, o.layers(other, none)); diff != "" {
		t.Error(diff)
	}
}
