package idmap

import (
	"errors"
	"testing"
)

func TestRange(t *testing.T) {
	r := Range{100000, 65536}
	if got := r.Last(); got != 165535 {
		t.Errorf("Last: %d", got)
	}
	if got := r.String(); got != "100000-165535" {
		t.Errorf("String: %q", got)
	}
	if got := (Range{}).String(); got != "" {
		t.Errorf("String of the zero value: %q", got)
	}
	for id, want := range map[uint32]bool{0: false, 99999: false, 100000: true, 165535: true, 165536: false, 1<<32 - 1: false} {
		if got := r.Contains(id); got != want {
			t.Errorf("Contains(%d): %v", id, got)
		}
	}
}

func TestOverlaps(t *testing.T) {
	r := Range{100, 10}
	for _, tc := range []struct {
		o    Range
		want bool
	}{
		{Range{90, 10}, false},
		{Range{90, 11}, true},
		{Range{100, 10}, true},
		{Range{104, 1}, true},
		{Range{0, 1 << 31}, true},
		{Range{109, 1}, true},
		{Range{110, 10}, false},
		{Range{105, 0}, false},
		{Range{}, false},
	} {
		if got, back := r.Overlaps(tc.o), tc.o.Overlaps(r); got != tc.want || back != tc.want {
			t.Errorf("%v, %+v: %v, %v; want %v", r, tc.o, got, back, tc.want)
		}
	}
}

func TestHostID(t *testing.T) {
	r := Range{100000, 65536}
	for id, want := range map[uint32]uint32{0: 100000, 1000: 101000, 65535: 165535} {
		if got, err := r.HostID(id); got != want || err != nil {
			t.Errorf("%d: %d, %v", id, got, err)
		}
	}
	for _, id := range []uint32{65536, 1 << 31, 1<<32 - 1} {
		if _, err := r.HostID(id); !errors.Is(err, ErrNotMapped) {
			t.Errorf("%d: %v", id, err)
		}
	}
}

func TestParseRange(t *testing.T) {
	for s, want := range map[string]Range{
		"100000-165535":         {100000, 65536},
		"1-1":                   {1, 1},
		"4294967294-4294967294": {4294967294, 1},
		"1-4294967294":          {1, 4294967294},
	} {
		if got, err := ParseRange(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "-", "1", "1-", "-1", "0-1", "0-65535", "2-1", "01-2", "1-02", "+1-2", "1-+2", " 1-2", "1-2 ",
		"1-2-3", "1-4294967295", "4294967295-4294967295", "4294967296-4294967297", "a-b", "1_0-20", "0x1-2", "１-2",
	} {
		if got, err := ParseRange(s); !errors.Is(err, ErrInvalidRange) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"100000-165535", "1-1", "0-0", "1-4294967295", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRange(s)
		if err != nil {
			if !errors.Is(err, ErrInvalidRange) || r != (Range{}) {
				t.Errorf("%q: %v, %v", s, r, err)
			}
			return
		}
		if r.String() != s {
			t.Errorf("%q becomes %v", s, r)
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if r.Contains(0) || r.Contains(1<<32-1) || !r.Contains(r.Base) || !r.Contains(r.Last()) {
			t.Errorf("%q: %+v", s, r)
		}
	})
}
