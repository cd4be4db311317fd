package seccomp

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sysinfo64 and sysinfo32 are struct sysinfo and struct compat_sysinfo, written down from
// the kernel's headers once more.
type sysinfo64 struct {
	Uptime    int64
	Loads     [3]uint64
	RAM       [4]uint64 // total, free, shared, buffer
	Swap      [2]uint64 // total, free
	Procs     uint16
	_         uint16
	_         uint32
	TotalHigh uint64
	FreeHigh  uint64
	Unit      uint32
	_         uint32
}

type sysinfo32 struct {
	Uptime    int32
	Loads     [3]uint32
	RAM       [4]uint32
	Swap      [2]uint32
	Procs     uint16
	_         uint16
	TotalHigh uint32
	FreeHigh  uint32
	Unit      uint32
	_         [8]byte
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if len(data) != binary.Size(into) {
		t.Errorf("%d bytes, not %d", len(data), binary.Size(into))
	}
	if err := binary.Read(bytes.NewReader(data), binary.NativeEndian, into); err != nil {
		t.Fatal(err)
	}
}

func TestEncodeSysinfo(t *testing.T) {
	const gib = 1 << 30
	s := Sysinfo{
		TotalRAM: 2 * gib, FreeRAM: gib, SharedRAM: 3 << 20, BufferRAM: 5 << 20, TotalSwap: 7 << 20, FreeSwap: 6 << 20,
		Loads: [3]float64{0.5, 1.25, 100}, Procs: 42, Uptime: 5*time.Second + 1,
	}
	var long sysinfo64
	decode(t, s.encode(8, 4096), &long)
	if want := (sysinfo64{
		Uptime: 6, Loads: [3]uint64{1 << 15, 5 << 14, 100 << 16},
		RAM: [4]uint64{2 * gib, gib, 3 << 20, 5 << 20}, Swap: [2]uint64{7 << 20, 6 << 20}, Procs: 42, Unit: 1,
	}); long != want {
		t.Errorf("64 bit: %+v", long)
	}
	var short sysinfo32
	decode(t, s.encode(4, 4096), &short)
	if want := (sysinfo32{
		Uptime: 6, Loads: [3]uint32{1 << 15, 5 << 14, 100 << 16},
		RAM: [4]uint32{2 * gib, gib, 3 << 20, 5 << 20}, Swap: [2]uint32{7 << 20, 6 << 20}, Procs: 42, Unit: 1,
	}); short != want {
		t.Errorf("32 bit: %+v", short)
	}
}

// TestEncodeLargeSizes: what does not fit into 32 bits is told in pages.
func TestEncodeLargeSizes(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   Sysinfo
		want sysinfo32
	}{
		{"the largest that fits", Sysinfo{TotalRAM: 1<<32 - 1, FreeRAM: 1}, sysinfo32{RAM: [4]uint32{1<<32 - 1, 1}, Unit: 1}},
		{"memory", Sysinfo{TotalRAM: 1 << 32, FreeRAM: 3 << 12}, sysinfo32{RAM: [4]uint32{1 << 20, 3}, Unit: 4096}},
		{"swap", Sysinfo{TotalRAM: 1 << 30, TotalSwap: 1 << 40}, sysinfo32{RAM: [4]uint32{1 << 18}, Swap: [2]uint32{1 << 28}, Unit: 4096}},
		{"threads", Sysinfo{Procs: 1 << 20}, sysinfo32{Procs: 1<<16 - 1, Unit: 1}},
		{"nonsense", Sysinfo{Procs: -1, Uptime: -time.Hour}, sysinfo32{Unit: 1}},
	} {
		var got sysinfo32
		if decode(t, tt.in.encode(4, 4096), &got); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// TestUptime: what is read for this process is what the kernel tells it.
func TestUptime(t *testing.T) {
	up, err := uptime(unix.Getpid())
	if err != nil {
		t.Skip("needs Linux 5.6 with time namespaces:", err)
	}
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		t.Fatal(err)
	}
	if d := int64(s.Uptime) - int64(seconds(up)); d < 0 || d > 1 {
		t.Errorf("%v, the kernel says %d s", up, s.Uptime)
	}
}
