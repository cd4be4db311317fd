package seccomp

import (
	"bytes"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

func TestNarrow(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mask    []byte
		visible []int
		want    []byte
		done    bool
	}{
		{"all of eight", []byte{0xff}, []int{0, 1}, []byte{0x03}, true},
		{"the visible ones are others", []byte{0xff}, []int{4, 6}, []byte{0x50}, true},
		{"bound to as many", []byte{0x30}, []int{0, 1}, []byte{0x30}, false},
		{"bound to fewer", []byte{0x80}, []int{0, 1}, []byte{0x80}, false},
		{"bound to more, none of them visible", []byte{0xf8}, []int{0, 1}, []byte{0x18}, true},
		{"bound to more, one of them visible", []byte{0xf2}, []int{0, 1}, []byte{0x12}, true},
		{"two words", []byte{0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0}, []int{0, 64, 65}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0}, true},
		{"a visible one beyond the mask", []byte{0xff}, []int{0, 200}, []byte{0x03}, true},
		{"none visible", []byte{0xff}, nil, []byte{0xff}, false},
		{"no mask", nil, []int{0}, nil, false},
		{"an empty mask", []byte{0}, []int{0}, []byte{0}, false},
	} {
		if done := narrow(tt.mask, tt.visible); done != tt.done || !bytes.Equal(tt.mask, tt.want) {
			t.Errorf("%s: %x, %t; want %x, %t", tt.name, tt.mask, done, tt.want, tt.done)
		}
	}
}

// TestMaskLength: as many bytes as the kernel gives to a caller with that many, in words of
// 4 bytes too, and none to one that has too few.
func TestMaskLength(t *testing.T) {
	whole := make([]byte, maxMask)
	size, err := linux.Affinity(0, whole)
	must(t, err)
	for _, tt := range []struct {
		cpus   int64
		length uint32
		word   int
		want   int // -1: it is the kernel's to refuse
	}{
		{2, 4, 4, 4},
		{2, 4, 8, -1},
		{2, 6, 4, -1},
		{2, 8, 4, 8},
		{2, 0, 4, -1},
		{32, 4, 4, 4},
		{33, 4, 4, -1},
		{33, 8, 4, 8},
		{2, 1 << 20, 4, size},
		{2, 1 << 20, 8, size},
		{2, 1<<29 - 4, 4, size},
		{2, 1 << 29, 4, -1},
		{2, 1<<32 - 8, 8, -1},
		{1 << 40, 1 << 20, 8, -1},
	} {
		mask, ok := affinityOf(0, tt.length, tt.word, tt.cpus)
		if ok != (tt.want >= 0) || ok && len(mask) != tt.want {
			t.Errorf("%+v: %d bytes, %t", tt, len(mask), ok)
		}
	}
}

// TestNumbered: kernels before 6.11 know the caller and its process.
func TestNumbered(t *testing.T) {
	done := make(chan bool)
	go func() { // on a thread that is not the process's first one
		defer close(done)
		runtime.LockOSThread()
		tid, pid := unix.Gettid(), os.Getpid()
		for _, tt := range []struct {
			who   int
			want  int
			known bool
		}{{tid, tid, true}, {pid, pid, true}, {1 << 22, 0, false}, {-1, 0, false}, {0, 0, false}} {
			if host, known := numbered(tid, int32(tt.who)); known != tt.known || known && host != tt.want {
				t.Errorf("%d: %d, %t", tt.who, host, known)
			}
		}
		if _, known := numbered(1<<22, 1); known {
			t.Error("a caller that there is not")
		}
	}()
	<-done
}
