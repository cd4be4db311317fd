package idmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReservedLines(t *testing.T) {
	for _, tc := range []struct {
		name  string
		parse lineParser
		line  string
		want  []Range
	}{
		{"subid", parseSubID, "alice:100000:65536", []Range{{100000, 65536}}},
		{"by number", parseSubID, "1000:1:2", []Range{{1, 2}}},
		{"whole space", parseSubID, "root:0:4294967296", []Range{{0, 4294967295}}},
		{"beyond the end", parseSubID, "a:4294967290:100", []Range{{4294967290, 6}}},
		{"last ID", parseSubID, "a:4294967295:1", []Range{{4294967295, 1}}},
		{"count of zero", parseSubID, "a:1:0", nil},
		{"negative", parseSubID, "a:-1:5", nil},
		{"no count", parseSubID, "a:1", nil},
		{"four fields", parseSubID, "a:1:2:3", nil},
		{"comment", parseSubID, "# a:1:2", []Range{{1, 2}}}, // it has no comments
		{"empty", parseSubID, "", nil},
		{"passwd", parsePasswd, "u:x:100001:100002:U:/:/bin/sh", []Range{{100001, 1}, {100002, 1}}},
		{"passwd, NIS", parsePasswd, "+::::::", nil},
		{"passwd, no group", parsePasswd, "u:x:7", []Range{{7, 1}}},
		{"passwd, bad user", parsePasswd, "u:x:a:7:", []Range{{7, 1}}},
		{"group", parseGroup, "g:x:100003:a,b", []Range{{100003, 1}}},
		{"group, bad", parseGroup, "g:x::a,b", nil},
	} {
		if got := tc.parse(nil, []byte(tc.line)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestReservedFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, data string) []string {
		p := filepath.Join(dir, name)
		must(t, os.WriteFile(p, []byte(data), 0o600))
		return []string{p, filepath.Join(dir, "missing")}
	}
	r := Reserved{
		SubIDs: write("subuid", "a:10:10\nnonsense\n\nb:200:1\nc:95:10"),
		Passwd: write("passwd", "root:x:0:0::/:\nu:x:150:99::/:\n"),
		Group:  write("group", "g:x:101:\n"),
	}
	got, err := r.within(100, 199)
	if want := []Range{{95, 10}, {150, 1}, {101, 1}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// TestReservedLarge: no part of a file is lost that is larger than a buffer.
func TestReservedLarge(t *testing.T) {
	file := filepath.Join(t.TempDir(), "group")
	var data []byte
	for i := range 5000 {
		data = fmt.Appendf(data, "group%d:x:%d:\n", i, 1000+i)
	}
	must(t, os.WriteFile(file, data, 0o600))
	got, err := Reserved{Group: []string{file}}.within(1, 1<<31)
	if err != nil || len(got) != 5000 || got[4999] != (Range{5999, 1}) {
		t.Errorf("%d ranges, %v", len(got), err)
	}
}

func TestReservedUnreadable(t *testing.T) {
	dir := t.TempDir() // a directory cannot be read as a file, even by root
	if _, err := (Reserved{Group: []string{dir}}).within(1, 2); !errors.Is(err, unix.EISDIR) {
		t.Error(err)
	}
}

func FuzzReserved(f *testing.F) {
	f.Add([]byte("alice:100000:65536"))
	f.Add([]byte("u:x:1:2:::"))
	f.Add([]byte("a:4294967295:4294967296"))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, parse := range []lineParser{parseSubID, parsePasswd, parseGroup} {
			for _, r := range parse(nil, line) {
				if r.Size == 0 || r.Last() < r.Base {
					t.Errorf("%q: %+v", line, r)
				}
			}
		}
	})
}
