package idmap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

// testPool has room for n ranges of 1000 IDs from 10000.
func testPool(t testing.TB, n uint32) Pool {
	return Pool{Dir: filepath.Join(t.TempDir(), "ranges"), First: 10000, Last: 10000 + n*1000 - 1, Size: 1000}
}

func claim(t *testing.T, p Pool, owner, want string) Range {
	t.Helper()
	r, err := p.Claim(owner)
	if err != nil || r.String() != want {
		t.Fatalf("%s: %v, %v; want %s", owner, r, err, want)
	}
	return r
}

func TestPoolLowestFirst(t *testing.T) {
	linuxtest.NoLeak(t)
	p := testPool(t, 5)
	claim(t, p, "/a", "10000-10999")
	b := claim(t, p, "/b", "11000-11999")
	claim(t, p, "/c", "12000-12999")
	must(t, p.Release("/b", b))
	claim(t, p, "/d", "11000-11999")
	claim(t, p, "/e", "13000-13999")
	if got, err := p.Find("/e"); err != nil || got.Base != 13000 {
		t.Errorf("Find: %v, %v", got, err)
	}
	if _, err := p.Find("/b"); !errors.Is(err, ErrNotClaimed) {
		t.Errorf("Find: %v", err)
	}
	claims, err := p.Claims()
	must(t, err)
	if got, want := fmt.Sprint(claims), "[10000-10999 /a 11000-11999 /d 12000-12999 /c 13000-13999 /e]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestPoolOnDisk(t *testing.T) {
	p := testPool(t, 1)
	claim(t, p, "/run/bundle", "10000-10999")
	st, err := os.Stat(p.Dir)
	must(t, err)
	if st.Mode() != os.ModeDir|0o711 {
		t.Errorf("mode %v", st.Mode())
	}
	if got, err := os.Readlink(p.Dir + "/10000-10999"); got != "/run/bundle" || err != nil {
		t.Errorf("link to %s, %v", got, err)
	}
}

func TestPoolRelease(t *testing.T) {
	p := testPool(t, 5)
	a := claim(t, p, "/a", "10000-10999")
	claim(t, p, "/a", "11000-11999")
	claim(t, p, "/b", "12000-12999")
	if err := p.Release("/b", a); !errors.Is(err, ErrNotClaimed) {
		t.Errorf("release of another's: %v", err)
	}
	if err := p.Release("/b", Range{99, 1}); !errors.Is(err, ErrNotClaimed) {
		t.Errorf("release of nobody's: %v", err)
	}
	must(t, p.ReleaseOwner("/a"))
	must(t, p.ReleaseOwner("/a"))
	claims, err := p.Claims()
	if err != nil || len(claims) != 1 || claims[0].Owner != "/b" {
		t.Errorf("%v, %v", claims, err)
	}
}

func TestPoolReserved(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "subuid")
	must(t, os.WriteFile(file, []byte("a:10500:1\nb:11999:2\nc:0:5\n"), 0o600))
	p := testPool(t, 5)
	p.Reserved.SubIDs = []string{file}
	claim(t, p, "/a", "13000-13999")
	must(t, os.WriteFile(file, []byte("all:0:4294967295\n"), 0o600))
	if _, err := p.Claim("/b"); !errors.Is(err, ErrPoolExhausted) {
		t.Error(err)
	}
	p.Reserved.SubIDs = []string{dir}
	if r, err := p.Claim("/b"); err == nil {
		t.Errorf("claim of %v though the reserved IDs cannot be read", r)
	}
}

func TestPoolExhausted(t *testing.T) {
	p := testPool(t, 2)
	bundle := t.TempDir()
	claim(t, p, bundle, "10000-10999")
	claim(t, p, bundle+"/gone", "11000-11999")
	claim(t, p, bundle, "11000-11999") // swept first
	_, err := p.Claim(bundle)
	if !errors.Is(err, ErrPoolExhausted) {
		t.Fatal(err)
	}
	want := "no free ID range: 2 of 1000 IDs from 10000 to 11999 are claimed in " + p.Dir
	if err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestPoolSweep(t *testing.T) {
	p := testPool(t, 9)
	bundle := t.TempDir()
	claim(t, p, bundle, "10000-10999")
	claim(t, p, "/does/not/exist", "11000-11999")
	must(t, os.WriteFile(p.Dir+"/12000-12999", nil, 0o600)) // no link: stays taken
	must(t, os.WriteFile(p.Dir+"/README", nil, 0o600))
	swept, err := p.Sweep()
	if err != nil || fmt.Sprint(swept) != "[11000-11999 /does/not/exist]" {
		t.Errorf("%v, %v", swept, err)
	}
	claim(t, p, bundle, "11000-11999")
	claim(t, p, bundle, "13000-13999")

	p.Exists = func(string) (bool, error) { return false, os.ErrPermission }
	if swept, err := p.Sweep(); !errors.Is(err, os.ErrPermission) || len(swept) != 0 {
		t.Errorf("%v, %v", swept, err)
	}
}

func TestPoolClaimRange(t *testing.T) {
	p := testPool(t, 5)
	bundle := t.TempDir()
	claim(t, p, bundle, "10000-10999")
	for _, tc := range []struct {
		r    Range
		want error
	}{
		{Range{10999, 5000}, ErrRangeTaken},
		{Range{1, 1 << 31}, ErrRangeTaken},
		{Range{0, 65536}, ErrInvalidRange},
		{Range{5000, 0}, ErrInvalidRange},
		{Range{11500, 1000}, nil},
		{Range{12499, 1}, ErrRangeTaken},
		{Range{4000000000, 65536}, nil},
	} {
		if err := p.ClaimRange(bundle, tc.r); !errors.Is(err, tc.want) {
			t.Errorf("%v: %v, want %v", tc.r, err, tc.want)
		}
	}
	must(t, p.ClaimRange(bundle, Range{11500, 1000})) // it is the owner's
	if err := p.ClaimRange("/other", Range{11500, 1000}); !errors.Is(err, ErrRangeTaken) {
		t.Error(err)
	}
	claim(t, p, bundle, "13000-13999") // not at 12500: ranges stay aligned
}

// What is next is what the next claim gets.
func TestPoolNext(t *testing.T) {
	p := testPool(t, 2)
	for range 2 {
		next, err := p.Next()
		must(t, err)
		claim(t, p, t.TempDir(), next.String())
	}
	if next, err := p.Next(); !errors.Is(err, ErrPoolExhausted) {
		t.Errorf("got %v, %v", next, err)
	}
}

// A client may bring what is an engine's to give, and nothing of a user.
func TestPoolClaimRangeOfUsers(t *testing.T) {
	p := testPool(t, 5)
	file := filepath.Join(t.TempDir(), "subuid")
	must(t, os.WriteFile(file, []byte("kim:20000:10000\nkubelet:40000:10000\n"), 0o600))
	p.Reserved = Reserved{SubIDs: []string{file}, Engines: []string{"kubelet"}}
	for r, want := range map[Range]error{{20000, 1000}: ErrRangeTaken, {29999, 5000}: ErrRangeTaken, {40000, 10000}: nil, {60000, 1000}: nil} {
		if err := p.ClaimRange(t.TempDir(), r); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", r, err, want)
		}
	}
}

func TestPoolClaimRangeSweepsWhatIsInTheWay(t *testing.T) {
	p := testPool(t, 5)
	claim(t, p, "/gone", "10000-10999")
	claim(t, p, "/gone", "11000-11999")
	must(t, p.ClaimRange(t.TempDir(), Range{10500, 10}))
	claims, err := p.Claims()
	if err != nil || len(claims) != 2 || claims[0].Range != (Range{10500, 10}) {
		t.Errorf("%v, %v", claims, err)
	}
}

// TestPoolShare: a range is free when the last of those who share it is gone.
func TestPoolShare(t *testing.T) {
	linuxtest.NoLeak(t)
	p := testPool(t, 2)
	dir := t.TempDir()
	owner := func(name string) string {
		must(t, os.MkdirAll(dir+"/"+name, 0o755))
		return dir + "/" + name
	}
	pause, web, log, other := owner("pause"), owner("web"), owner("log"), owner("other")
	r := claim(t, p, pause, "10000-10999")
	must(t, p.Share(web, r, pause))
	must(t, p.Share(web, r, pause)) // has it already
	must(t, p.Share(log, r, web))
	if got, want := names(t, p), "[10000-10999 10000-10999.2 10000-10999.3]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, err := p.Find(log); got != r || err != nil {
		t.Errorf("Find: %v, %v", got, err)
	}
	claim(t, p, other, "11000-11999")
	for _, tc := range []struct {
		r      Range
		beside string
	}{{r, other}, {r, "/nobody"}, {Range{11000, 1000}, pause}, {Range{10000, 500}, pause}, {Range{20000, 1000}, pause}} {
		if err := p.Share(owner("x"), tc.r, tc.beside); !errors.Is(err, ErrNotClaimed) {
			t.Errorf("share %v beside %s: %v", tc.r, tc.beside, err)
		}
	}
	if err := p.Share("x", r, pause); err == nil {
		t.Error("a relative owner is accepted")
	}

	must(t, p.Release(pause, r))
	if err := p.Release(pause, r); !errors.Is(err, ErrNotClaimed) {
		t.Errorf("second release: %v", err)
	}
	if err := p.ClaimRange(pause, r); !errors.Is(err, ErrRangeTaken) {
		t.Errorf("the range of web and log: %v", err)
	}
	must(t, p.ClaimRange(log, r))
	must(t, p.Share(pause, r, log)) // back, by the name that was free
	if got, want := names(t, p), "[10000-10999 10000-10999.2 10000-10999.3 11000-11999]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	must(t, p.ReleaseOwner(web))
	must(t, p.ReleaseOwner(pause))
	if _, err := p.Claim(other); !errors.Is(err, ErrPoolExhausted) {
		t.Errorf("log has its range: %v", err)
	}
	must(t, p.Release(log, r))
	claim(t, p, other, "10000-10999")
}

// TestPoolShareSweep: what is left of a pod keeps the range; a pod of which nothing
// is left does not.
func TestPoolShareSweep(t *testing.T) {
	p := testPool(t, 2)
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d"} {
		must(t, os.Mkdir(dir+"/"+name, 0o755))
	}
	first, second := claim(t, p, dir+"/a", "10000-10999"), claim(t, p, dir+"/c", "11000-11999")
	must(t, p.Share(dir+"/b", first, dir+"/a"))
	must(t, p.Share(dir+"/d", second, dir+"/c"))
	for _, gone := range []string{"a", "c", "d"} {
		must(t, os.Remove(dir+"/"+gone))
	}
	claim(t, p, dir, "11000-11999")
	if got, want := names(t, p), "[10000-10999.2 11000-11999]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	must(t, os.Remove(dir+"/b"))
	must(t, p.ClaimRange(dir, first))
}

func TestParseName(t *testing.T) {
	for name, want := range map[string]bool{
		"1-2": true, "1-2.2": true, "1-2.10": true,
		"1-2.": false, "1-2.0": false, "1-2.1": false, "1-2.02": false, "1-2.2.2": false, "1-2.x": false, ".2": false, "README": false,
	} {
		if _, got := parseName(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

// names are the names in the pool's directory, sorted.
func names(t *testing.T, p Pool) string {
	t.Helper()
	entries, err := os.ReadDir(p.Dir)
	must(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return fmt.Sprint(out)
}

func TestPoolBadInput(t *testing.T) {
	p := testPool(t, 5)
	for _, owner := range []string{"", "a", "/a/../b", "/a/", "//a"} {
		if _, err := p.Claim(owner); err == nil {
			t.Errorf("owner %q is accepted", owner)
		}
		if err := p.ClaimRange(owner, Range{1, 1}); err == nil {
			t.Errorf("owner %q is accepted", owner)
		}
	}
	for _, bad := range []Pool{
		{},
		{Dir: p.Dir, First: 0, Last: 100, Size: 10},
		{Dir: p.Dir, First: 100, Last: 99, Size: 10},
		{Dir: p.Dir, First: 100, Last: 200, Size: 0},
		{Dir: p.Dir, First: 100, Last: 1<<32 - 1, Size: 10},
	} {
		if _, err := bad.Claim("/a"); !errors.Is(err, ErrInvalidRange) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	tooSmall := p
	tooSmall.Last = tooSmall.First + 10
	if _, err := tooSmall.Claim("/a"); !errors.Is(err, ErrPoolExhausted) {
		t.Error(err)
	}
}

func TestPoolDirectory(t *testing.T) {
	p := testPool(t, 5)
	for _, tc := range []struct {
		name    string
		prepare func() error
		want    error
	}{
		{"writable by others", func() error {
			return errors.Join(os.Mkdir(p.Dir, 0o700), os.Chmod(p.Dir, 0o777))
		}, ErrUnsafePool},
		{"a link", func() error { return os.Symlink(t.TempDir(), p.Dir) }, nil},
		{"a file", func() error { return os.WriteFile(p.Dir, nil, 0o600) }, nil},
	} {
		must(t, tc.prepare())
		_, err := p.Claim("/a")
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		must(t, os.Remove(p.Dir))
	}
	p.Dir += "/a/b"
	if _, err := p.Claim("/a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
}

func TestExistsBelow(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/run/bundle", 0o755))
	must(t, os.Symlink("/run", dir+"/abs"))
	root, err := os.Open(dir)
	must(t, err)
	defer root.Close()
	for path, want := range map[string]bool{"/run/bundle": true, "/abs/bundle": true, "/run/other": false, "/x/y": false, dir: false} {
		if got, err := ExistsBelow(root)(path); got != want || err != nil {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
}

// TestPoolConcurrent lets goroutines of several processes claim, release and
// sweep at once; no two of them may ever have the same range.
func TestPoolConcurrent(t *testing.T) {
	const processes, n = 4, 40
	p := testPool(t, 1000)
	bundle := t.TempDir()
	var wg sync.WaitGroup
	outs := make([]string, processes)
	for i := range processes {
		wg.Go(func() {
			cmd := exec.Command("/proc/self/exe", p.Dir, bundle, fmt.Sprint(n))
			cmd.Env = append(os.Environ(), "LINUXTEST_CHILD=claim")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			outs[i] = string(out)
		})
	}
	wg.Wait()
	claims, err := p.Claims()
	must(t, err)
	if len(claims) != processes*n {
		t.Errorf("%d claims, want %d", len(claims), processes*n)
	}
	// Each process kept n of its claims and released the others, so that
	// the kept ones are among the lowest.
	for i, c := range claims[1:] {
		if c.Overlaps(claims[i].Range) {
			t.Errorf("%v overlaps %v", c, claims[i])
		}
	}
	owners := map[string]int{}
	for _, c := range claims {
		owners[c.Owner]++
	}
	for owner, got := range owners {
		if got != 1 {
			t.Errorf("%s has %d ranges", owner, got)
		}
	}
}

// childClaim claims args[2] ranges of the pool args[0] for owners below the
// directory args[1], each in a goroutine that makes its bundle, claims,
// releases and claims again while others sweep.
func childClaim(args []string) error {
	p := Pool{Dir: args[0], First: 10000, Last: 10000 + 1000*1000 - 1, Size: 1000}
	var n int
	if _, err := fmt.Sscan(args[2], &n); err != nil {
		return err
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			owner := fmt.Sprintf("%s/%d-%d", args[1], os.Getpid(), i)
			errs[i] = func() error {
				if err := os.Mkdir(owner, 0o755); err != nil {
					return err
				}
				r, err := p.Claim(owner)
				if err != nil {
					return err
				}
				if i%4 == 0 {
					if _, err := p.Sweep(); err != nil {
						return err
					}
				}
				if err := p.Release(owner, r); err != nil {
					return err
				}
				_, err = p.Claim(owner)
				return err
			}()
		})
	}
	wg.Wait()
	return errors.Join(slices.Clip(errs)...)
}
