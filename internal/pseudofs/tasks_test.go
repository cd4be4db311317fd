package pseudofs

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eci-runtime/eci/internal/linux/linuxtest"
)

func TestParseState(t *testing.T) {
	for _, test := range []struct {
		stat string
		want byte
	}{
		{"1 (sh) S 0 1 1", 'S'},
		{"12 (a) R (b) D 0 1", 'D'},
		{"12 () R 1", 'R'},
		{"12 (x) ", 0},
		{"12 (x", 0},
		{"", 0},
	} {
		if got := parseState([]byte(test.stat)); got != test.want {
			t.Errorf("%q: got %c, want %c", test.stat, got, test.want)
		}
	}
}

func TestParseNSpid(t *testing.T) {
	for _, test := range []struct {
		status string
		want   []int
	}{
		{"Name:\tNSpid: 1\nPid:\t7\nNSpid:\t700\t7\t1\nNSpgid:\t5\n", []int{700, 7, 1}},
		{"NSpid:\t7\n", []int{7}},
		{"Pid:\t7\n", nil},
	} {
		if got := parseNSpid([]byte(test.status)); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.status, got, test.want)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 100, 618, 1000} {
		for turn := range 3 {
			got := slices.Collect(spread(n, turn))
			if n == 1000 { // a part of it is everywhere
				part := slices.Sorted(slices.Values(got[:50]))
				for i := 1; i < len(part); i++ {
					if part[i]-part[i-1] > 60 {
						t.Errorf("turn %d: nothing between %d and %d", turn, part[i-1], part[i])
					}
				}
			}
			slices.Sort(got)
			if len(got) != n || got[0] != 0 || got[n-1] != n-1 || len(slices.Compact(got)) != n {
				t.Errorf("%d: not each once: %v", n, got)
			}
		}
	}
}

// procs makes a directory like a procfs: of each thread, its state.
func procs(t *testing.T, states map[int]byte, nspids map[int]string) string {
	files := map[string]string{"x": ""}
	for pid, state := range states {
		files[fmt.Sprintf("%d/task/%d/stat", pid, pid)] = fmt.Sprintf("%d (x) %c 1", pid, state)
	}
	for pid, numbers := range nspids {
		files[fmt.Sprintf("%d/status", pid)] = "NSpid:\t" + numbers + "\n"
	}
	return tree(t, files)
}

func TestCensus(t *testing.T) {
	linuxtest.NoLeak(t)
	states := map[int]byte{100: 'S', 101: 'R', 102: 'D', 103: 'R', 104: 'Z', 900: 'R'}
	proc := procs(t, states, map[int]string{100: "100\t1", 104: "104\t17", 900: "900"})
	for _, test := range []struct {
		name  string
		files map[string]string
		v1    bool
		want  headcount
	}{
		{
			name:  "v2, with cgroups of its own",
			files: map[string]string{"cgroup.threads": "100\n101\n", "pids.current": "6\n", "a/cgroup.threads": "102\n", "a/b/cgroup.threads": "103\n", "c/cgroup.threads": "104\n"},
			want:  headcount{Tasks{Total: 6, Running: 2, Blocked: 1, LastPID: 17}, true},
		},
		{
			name:  "v2, not counted by the kernel",
			files: map[string]string{"cgroup.threads": "100\n101\n", "a/cgroup.threads": "102\n"},
			want:  headcount{Tasks{Total: 3, Running: 1, Blocked: 1}, true},
		},
		{
			name:  "v1",
			v1:    true,
			files: map[string]string{"tasks": "100\n", "pids.current": "3\n", "a/tasks": "103\n104\n"},
			want:  headcount{Tasks{Total: 3, Running: 1, LastPID: 17}, true},
		},
		{
			name:  "v1, more than the kernel lists in time",
			v1:    true,
			files: map[string]string{"tasks": "100\n", "pids.current": "3000\n"},
			want:  headcount{Tasks{Total: 3000}, false},
		},
		{
			name:  "from outside of the container's namespace",
			files: map[string]string{"cgroup.threads": "100\n900\n", "pids.current": "2\n"},
			want:  headcount{Tasks{Total: 2, Running: 1}, true},
		},
		{
			name:  "ended",
			files: map[string]string{"x": ""},
			want:  headcount{known: true},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			dirs := map[string]string{"": tree(t, test.files)}
			if test.v1 {
				dirs = map[string]string{"pids": dirs[""], "cpuset": dirs[""]}
			}
			group := testCgroup(t, dirs)
			c := newCensus(proc, 100)
			for range 2 {
				if got := c.look(group); got != test.want {
					t.Errorf("got %+v, want %+v", got, test.want)
				}
			}
		})
	}
}

func TestScale(t *testing.T) {
	for _, test := range []struct{ n, seen, all, want int }{
		{0, 100, 10000, 0},
		{7, 100, 10000, 7},
		{8, 100, 10000, 800},
		{100, 100, 10000, 10000},
		{9, 9, 9, 9},
		{9, 9, 10, 10},
	} {
		if got := scale(test.n, test.seen, test.all); got != test.want {
			t.Errorf("%d of %d of %d: got %d, want %d", test.n, test.seen, test.all, got, test.want)
		}
	}
}

// TestLastPIDStays has a container whose newest thread ends.
func TestLastPIDStays(t *testing.T) {
	proc := procs(t, nil, map[int]string{100: "100\t1", 104: "104\t17"})
	c := newCensus(proc, 100)
	for _, test := range []struct {
		pids []int32
		want int
	}{
		{[]int32{100}, 1},
		{[]int32{100, 104}, 17},
		{[]int32{100}, 17},
		{[]int32{100, 105}, 17},
		{nil, 17},
	} {
		c.last.LastPID = c.lastPID(test.pids)
		if got := c.last.LastPID; got != test.want {
			t.Errorf("%v: got %d, want %d", test.pids, got, test.want)
		}
	}
}

// TestCensusIsBounded has containers that make very many threads and cgroups.
func TestCensusIsBounded(t *testing.T) {
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintln(&many, 1_000_000+i)
	}
	files := map[string]string{"cgroup.threads": many.String(), "pids.current": "100000\n"}
	cgroups := map[string]string{"pids.current": "5000\n"}
	for i := range 3000 {
		cgroups[fmt.Sprintf("%d/cgroup.threads", i)] = "100\n"
	}
	deep := map[string]string{strings.Repeat("d/", 500) + "cgroup.threads": "100\n"}
	proc := procs(t, map[int]byte{100: 'R'}, nil)
	for name, files := range map[string]map[string]string{"threads": files, "cgroups": cgroups, "deep": deep} {
		group := testCgroup(t, map[string]string{"": tree(t, maps.Clone(files))})
		c := newCensus(proc, 100)
		fastest := time.Hour
		for range 10 {
			start := time.Now()
			got := c.look(group)
			fastest = min(fastest, time.Since(start))
			if name == "cgroups" && got.Running != 5000 {
				t.Errorf("%s: %d run, want what those that were looked at do", name, got.Running)
			}
		}
		t.Logf("%s: %v", name, fastest)
		if fastest > 10*time.Millisecond {
			t.Errorf("%s: %v", name, fastest)
		}
	}
}

// TestListInPieces has a list that is longer than a buffer.
func TestListInPieces(t *testing.T) {
	var text strings.Builder
	var want []int32
	for i := range int32(5000) {
		want = append(want, i*131)
		fmt.Fprintln(&text, i*131)
	}
	dir := tree(t, map[string]string{"tasks": strings.TrimSuffix(text.String(), "\n")})
	file, err := os.Open(filepath.Join(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pids, complete := lists{dir: file, name: "tasks"}.read(budget{pids: 1 << 20, least: 1 << 20})
	if !complete || !slices.Equal(pids, want) {
		t.Errorf("got %d, complete %t", len(pids), complete)
	}
	pids, complete = lists{dir: file, name: "tasks"}.read(budget{pids: 100, least: 1 << 20})
	if complete || len(pids) < 100 || !slices.Equal(pids, want[:len(pids)]) {
		t.Errorf("got %d of 100, complete %t", len(pids), complete)
	}
}
