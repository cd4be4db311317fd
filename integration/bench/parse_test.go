package main

import (
	"encoding/binary"
	"maps"
	"os"
	"testing"
	"time"
)

func TestParseRollup(t *testing.T) {
	const good = "00400000-7ffd4b7fe000 ---p 00000000 00:00 0   [rollup]\n" +
		"Rss:               15368 kB\nPss:               12044 kB\nPss_Dirty:          5000 kB\nPrivate_Dirty:      4988 kB\n"
	got, err := parseRollup([]byte(good))
	if err != nil || got["Pss"] != 12044 || got["Private_Dirty"] != 4988 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "Pss: 12 kB\n", "Pss: x kB\nPrivate_Dirty: 1 kB\n"} {
		if got, err := parseRollup([]byte(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func TestParseAnswer(t *testing.T) {
	if took, err := parseAnswer("ok 1500"); err != nil || took != 1500*time.Nanosecond {
		t.Errorf("got %v, %v", took, err)
	}
	if _, err := parseAnswer("error mount: operation not permitted"); err == nil || err.Error() != "mount: operation not permitted" {
		t.Errorf("got %v", err)
	}
	if _, err := parseAnswer("ok x"); err == nil {
		t.Error("no number, and no error")
	}
}

func TestCountKinds(t *testing.T) {
	got := countKinds([]string{
		"mount /t/x", "mount /t/y", "process 12: runc --root /t", "claim /t/ranges/1-2", "runc state /t/runc/a", "FIFO /t/fifo/1",
	})
	want := map[string]int{"mount": 2, "process": 1, "claim": 1, "runc state": 1, "FIFO": 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseEvent(t *testing.T) {
	message := func(kind eventKind, ids ...uint32) []byte {
		m := make([]byte, eventOffset)
		m = binary.NativeEndian.AppendUint32(m, uint32(kind))
		m = binary.NativeEndian.AppendUint32(m, 0)
		m = binary.NativeEndian.AppendUint64(m, uint64(7*time.Second))
		for _, id := range ids {
			m = binary.NativeEndian.AppendUint32(m, id)
		}
		return append(m, make([]byte, 24-4*len(ids))...)
	}
	for _, tt := range []struct {
		name string
		in   []byte
		want procEvent
		ok   bool
	}{
		{"fork", message(forked, 5, 4, 9, 9), procEvent{Kind: forked, At: 7 * time.Second, Pid: 9, Parent: 4}, true},
		{"a new thread", message(forked, 5, 4, 9, 4), procEvent{}, false},
		{"exec", message(execed, 9, 9), procEvent{Kind: execed, At: 7 * time.Second, Pid: 9}, true},
		{"exit", message(exited, 9, 9, 0, 17), procEvent{Kind: exited, At: 7 * time.Second, Pid: 9}, true},
		{"a thread ends", message(exited, 10, 9), procEvent{}, false},
		{"a new name", message(0x200, 9, 9), procEvent{}, false},
		{"short", message(execed, 9, 9)[:50], procEvent{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseEvent(tt.in)
			if ok != tt.ok {
				t.Fatalf("ok = %v, want %v", ok, tt.ok)
			}
			if ok && (got.Kind != tt.want.Kind || got.At != tt.want.At || got.Pid != tt.want.Pid || got.Parent != tt.want.Parent) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestOwnerOf(t *testing.T) {
	for name, want := range map[string]int{
		ownName() + "7":       os.Getpid(),
		"eci-bench-12-345":    12,
		"eci-bench-12":        0,
		"eci-bench--3":        0,
		"eci-bench-0-3":       0,
		"eci-bench-results-1": 0,
		"eci-1234":            0,
	} {
		if got := ownerOf(name); got != want {
			t.Errorf("%s belongs to process %d, want %d", name, got, want)
		}
	}
}

func TestParseBoot(t *testing.T) {
	finish, err := parseBoot("running\nWed 2026-11-25 18:29:07.123456 UTC\n")
	if want := time.Date(2026, 11, 25, 18, 29, 7, 123456000, time.UTC); err != nil || !finish.Equal(want) {
		t.Errorf("%v, %v", finish, err)
	}
	for _, said := range []string{"", "degraded\nWed 2026-11-25 18:29:07.123456 UTC\nx.service", "running\n\n", "running"} {
		if finish, err := parseBoot(said); err == nil {
			t.Errorf("%q: %v", said, finish)
		}
	}
}
