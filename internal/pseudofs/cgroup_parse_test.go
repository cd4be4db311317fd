package pseudofs

import (
	"math"
	"slices"
	"testing"
)

func TestParseCount(t *testing.T) {
	for _, test := range []struct {
		text string
		want uint64
		ok   bool
	}{
		{"0\n", 0, true},
		{"12", 12, true},
		{"18446744073709551615\n", math.MaxUint64, true},
		{"18446744073709551616\n", 0, false},
		{"99999999999999999999\n", 0, false},
		{"-1\n", 0, false},
		{"max\n", 0, false},
		{"1 2\n", 0, false},
		{"\n", 0, false},
		{"", 0, false},
	} {
		if n, ok := parseCount([]byte(test.text)); n != test.want || ok != test.ok {
			t.Errorf("%q: got %d %t, want %d %t", test.text, n, ok, test.want, test.ok)
		}
	}
}

func TestParseCPUs(t *testing.T) {
	for _, test := range []struct {
		text string
		want []int
	}{
		{"0\n", []int{0}},
		{"0-3\n", []int{0, 1, 2, 3}},
		{"1,3-5,8\n", []int{1, 3, 4, 5, 8}},
		{"\n", nil},
		{"", nil},
		{"x,2", []int{2}},
		{"3-1", nil},
		{"2-", nil},
		{"0-99999999999", nil},
	} {
		if got := parseCPUs([]byte(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.text, got, test.want)
		}
	}
}

func TestParseDevices(t *testing.T) {
	for _, test := range []struct {
		name, line string
		v1, ops    bool
		want       []DeviceIO
	}{
		{name: "v2", line: "8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n", want: []DeviceIO{{Major: 8, Minor: 16, ReadBytes: 1, WriteBytes: 2, Reads: 3, Writes: 4, DiscardBytes: 5, DiscardOps: 6}}},
		{name: "v2, with costs", line: "8:0 rbytes=1 cost.usage=9\n", want: []DeviceIO{{Major: 8, ReadBytes: 1}}},
		{name: "v2, without numbers", line: "8:0\n", want: []DeviceIO{{Major: 8}}},
		{name: "v2, malformed", line: "x y\n"},
		{name: "v1, size", v1: true, line: "8:0 Read 7\n", want: []DeviceIO{{Major: 8, ReadBytes: 7}}},
		{name: "v1, operations", v1: true, ops: true, line: "8:0 Write 7\n", want: []DeviceIO{{Major: 8, Writes: 7}}},
		{name: "v1, another criterion", v1: true, line: "8:0 Sync 7\n", want: []DeviceIO{{Major: 8}}},
		{name: "v1, sum", v1: true, line: "Total 7\n"},
	} {
		var got []DeviceIO
		if test.v1 {
			got = addBlkio(nil, []byte(test.line), test.ops)
		} else {
			got = addIO(nil, []byte(test.line))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
