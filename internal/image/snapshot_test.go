package image

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// fakeStore knows containers, and snapshots by their names.
type fakeStore struct {
	records map[string]Record
	parents map[string]string
	mounts  []Mount
}

var errNotFound = errors.New("not found")

func (s fakeStore) Container(_ context.Context, id string) (Record, error) {
	if r, ok := s.records[id]; ok {
		return r, nil
	}
	return Record{}, errNotFound
}

func (s fakeStore) Parent(_ context.Context, snapshotter, snapshot string) (string, error) {
	if parent, ok := s.parents[snapshot]; ok && snapshotter == "overlayfs" {
		return parent, nil
	}
	return "", errNotFound
}

func (s fakeStore) Mounts(context.Context, string, string) ([]Mount, error) { return s.mounts, nil }

// newStore has one container, whose snapshot lies on two layers.
func newStore(mounts ...Mount) fakeStore {
	return fakeStore{
		records: map[string]Record{"c": {Image: "example.com/a:1", Snapshotter: "overlayfs", Snapshot: "c-snapshot"}},
		parents: map[string]string{"c-snapshot": "sha256:top", "sha256:top": "sha256:bottom", "sha256:bottom": ""},
		mounts:  mounts,
	}
}

func overlayMount(lowers, upper string, more ...string) Mount {
	return Mount{Type: "overlay", Source: "overlay", Options: append([]string{"workdir=/w", "upperdir=" + upper, "lowerdir=" + lowers}, more...)}
}

func TestIdentifyBySnapshot(t *testing.T) {
	own := overlayMount("/2:/1", "/3")
	for name, tt := range map[string]struct {
		query  func(*Query)
		store  func(*fakeStore)
		reason string // empty: the chain is proven
	}{
		"as it is":             {},
		"labelled":             {query: func(q *Query) { q.Rootfs[0].Options = append(q.Rootfs[0].Options, `context="l"`, "volatile") }},
		"other upper layer":    {query: func(q *Query) { q.Rootfs[0] = overlayMount("/2:/1", "/4") }, reason: errOther.Error()},
		"one layer less":       {query: func(q *Query) { q.Rootfs[0] = overlayMount("/1", "/3") }, reason: errOther.Error()},
		"layers turned around": {query: func(q *Query) { q.Rootfs[0] = overlayMount("/1:/2", "/3") }, reason: errOther.Error()},
		"one option more":      {query: func(q *Query) { q.Rootfs[0] = overlayMount("/2:/1", "/3", "lowerdir+=/0") }, reason: errOther.Error()},
		"two of an option":     {query: func(q *Query) { q.Rootfs[0] = overlayMount("/2:/1", "/3", "lowerdir=/0") }, reason: errOther.Error()},
		"other type":           {query: func(q *Query) { q.Rootfs[0].Type = "fuse" }, reason: errOther.Error()},
		"other target":         {query: func(q *Query) { q.Rootfs[0].Target = "usr" }, reason: errOther.Error()},
		"one mount more":       {query: func(q *Query) { q.Rootfs = append(q.Rootfs, own) }, reason: errOther.Error()},
		"bind of another":      {query: func(q *Query) { q.Rootfs = []Mount{{Type: "bind", Source: "/", Options: []string{"rbind"}}} }, reason: "it is no overlay"},
		"nothing mounted":      {query: func(q *Query) { q.Rootfs, q.Root = nil, "/etc" }, reason: "it is no overlay"},
		"nothing there":        {query: func(q *Query) { q.Rootfs, q.Root = nil, "/nowhere" }, reason: "cannot be opened"},
		"no record":            {query: func(q *Query) { q.Container = "d" }, reason: "containerd does not tell about the container: not found"},
		"no snapshot":          {store: func(s *fakeStore) { delete(s.parents, "c-snapshot") }, reason: "containerd has no snapshot of it"},
		"no layer":             {store: func(s *fakeStore) { delete(s.parents, "sha256:bottom") }, reason: "containerd does not tell about a layer"},
		"no image":             {store: func(s *fakeStore) { s.parents["c-snapshot"] = "" }, reason: "it was made from no image"},
		"in a circle":          {store: func(s *fakeStore) { s.parents["sha256:bottom"] = "sha256:top" }, reason: "more than 500 layers"},
		"key is the container": {store: func(s *fakeStore) {
			s.records["c"] = Record{Snapshotter: "overlayfs"}
			s.parents["c"] = "sha256:top"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			store := newStore(own)
			q := Query{Container: "c", Root: "/b/rootfs", Rootfs: []Mount{overlayMount("/2:/1", "/3")}}
			if tt.query != nil {
				tt.query(&q)
			}
			if tt.store != nil {
				tt.store(&store)
			}
			checkChain(t, q, store, tt.reason, "sha256:top", "sha256:bottom")
		})
	}
}

// checkChain wants a chain, or a reason for which there is none.
func checkChain(t *testing.T, q Query, store Store, reason string, chain ...string) {
	t.Helper()
	got := Identify(t.Context(), q, store)
	switch {
	case reason == "" && (!slices.Equal(got.Chain, chain) || got.Why != ""):
		t.Errorf("got %+v, want the chain %v", got, chain)
	case reason != "" && (got.Chain != nil || !strings.Contains(got.Why, reason)):
		t.Errorf("got %+v, want no chain because %q", got, reason)
	}
}

// dockerd with containerd's store mounts by itself, and the request names nothing.
func TestIdentifyByWhatIsMounted(t *testing.T) {
	snapshots := t.TempDir()
	l := dirs(t, snapshots, "1/fs", "2/fs", "3/fs", "3/work", "4/fs", "4/work")
	own := Mount{Type: "overlay", Source: "overlay", Options: []string{"index=off", "workdir=" + l[3], "upperdir=" + l[2], "lowerdir=" + l[1] + ":" + l[0]}}
	for name, tt := range map[string]struct {
		in          string
		lowers      []string
		upper, work string
		reason      string
	}{
		"the same":            {"/", []string{l[1], l[0]}, l[2], l[3], ""},
		"with short names":    {snapshots, []string{"2/fs", "1/fs"}, l[2], l[3], ""},
		"other upper layer":   {"/", []string{l[1], l[0]}, l[4], l[5], errOther.Error()},
		"other lower layers":  {"/", []string{l[0]}, l[2], l[3], errOther.Error()},
		"other order":         {"/", []string{l[0], l[1]}, l[2], l[3], errOther.Error()},
		"read-only":           {"/", []string{l[1], l[0]}, "", "", errOther.Error()},
		"short names, others": {snapshots, []string{"1/fs", "2/fs"}, l[2], l[3], errOther.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "overlayfs", "c")
			mountOverlay(t, tt.in, root, tt.lowers, tt.upper, tt.work)
			store := newStore(own)
			store.records["c"] = Record{} // as dockerd's are
			store.parents["c"] = "sha256:top"
			checkChain(t, Query{Container: "c", Root: root}, store, tt.reason, "sha256:top", "sha256:bottom")

			bind := []Mount{{Type: "bind", Source: root, Options: []string{"rbind", "rw"}}}
			store.records["c"] = Record{Snapshotter: "overlayfs"}
			checkChain(t, Query{Container: "c", Root: "/b/rootfs", Rootfs: bind}, store, tt.reason, "sha256:top", "sha256:bottom")
		})
	}
}

// A snapshot of one layer is a bind mount; so is each one of the snapshotter native.
func TestIdentifyByBind(t *testing.T) {
	d := dirs(t, t.TempDir(), "1/fs", "2/fs", "overlayfs/c")
	store := newStore(Mount{Type: "bind", Source: d[0], Options: []string{"ro", "rbind"}})
	store.records["c"] = Record{}
	store.parents["c"] = "sha256:bottom"
	q := Query{Container: "c", Root: d[2]}
	checkChain(t, q, store, errOther.Error())
	for i, reason := range []string{"", errOther.Error()} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			mountBind(t, d[i], d[2])
			checkChain(t, q, store, reason, "sha256:bottom")
		})
	}
}

func mountBind(t *testing.T, from, to string) {
	t.Helper()
	linuxtest.Root(t)
	must(t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(to, unix.MNT_DETACH)) })
}
