package seccomp

import (
	"encoding/binary"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// Sysinfo are the numbers of a container that sysinfo(2) tells.
type Sysinfo struct {
	TotalRAM, FreeRAM, SharedRAM, BufferRAM uint64 // bytes
	TotalSwap, FreeSwap                     uint64 // bytes

	Loads [3]float64 // over 1, 5 and 15 minutes
	Procs int        // threads

	// Uptime is the time since the container's start. It is for callers whose time
	// namespace does not tell theirs.
	Uptime time.Duration
}

// sysinfo answers from the same numbers as /proc/meminfo and /proc/loadavg. An address at
// which nothing can be written is EFAULT; where the numbers are not known, the kernel
// answers with the host's.
func sysinfo(r *request) answer {
	s, err := r.c.Sysinfo()
	if err != nil {
		r.c.logf("sysinfo: %v", err)
		return proceed()
	}
	if up, err := uptime(r.t.pid); err == nil {
		s.Uptime = up
	}
	if err := r.t.put(r.args[0], s.encode(r.abi.word, os.Getpagesize())); err != nil {
		return refuse(unix.EFAULT)
	}
	return value(0)
}

// loadShift is SI_LOAD_SHIFT: the averages are fixed-point numbers with 16 bits after
// the point.
const loadShift = 16

// encode lays the numbers out as the kernel does: struct sysinfo of linux/sysinfo.h, or for
// 32-bit callers struct compat_sysinfo of kernel/sys.c. word is the size of an unsigned
// long there. Sizes are in bytes, unless they do not fit: then they are in pages.
func (s Sysinfo) encode(word, page int) []byte {
	unit := uint64(1)
	if word == 4 && max(s.TotalRAM, s.TotalSwap) > math.MaxUint32 {
		unit = uint64(page)
	}
	b := make([]byte, 0, 112)
	long := func(n uint64) {
		if word == 4 {
			b = binary.NativeEndian.AppendUint32(b, uint32(n))
		} else {
			b = binary.NativeEndian.AppendUint64(b, n)
		}
	}
	long(seconds(s.Uptime))
	for _, load := range s.Loads {
		long(uint64(load * (1 << loadShift)))
	}
	for _, size := range []uint64{s.TotalRAM, s.FreeRAM, s.SharedRAM, s.BufferRAM, s.TotalSwap, s.FreeSwap} {
		long(size / unit)
	}
	b = binary.NativeEndian.AppendUint16(b, uint16(min(max(s.Procs, 0), math.MaxUint16)))
	b = append(b, make([]byte, word-2)...)
	long(0) // totalhigh: 64-bit kernels have no high memory
	long(0) // freehigh
	b = binary.NativeEndian.AppendUint32(b, uint32(unit))
	return b[:sysinfoSize(word)]
}

// sysinfoSize is the size of the structure, zeros at its end included.
func sysinfoSize(word int) int {
	if word == 4 {
		return 64
	}
	return 112
}

// seconds are those that have begun, as in the kernel's.
func seconds(d time.Duration) uint64 {
	return uint64((max(d, 0) + time.Second - 1) / time.Second)
}

// uptime is what CLOCK_BOOTTIME shows in the time namespace of a process: ours, and the
// difference of the offsets. time_namespaces(7), Linux 5.6.
func uptime(pid int) (time.Duration, error) {
	theirs, err := bootOffset(strconv.Itoa(pid))
	if err != nil {
		return 0, err
	}
	ours, err := ownOffset()
	if err != nil {
		return 0, err
	}
	now, err := linux.Boottime()
	return now + theirs - ours, err
}

var ownOffset = sync.OnceValues(func() (time.Duration, error) { return bootOffset("self") })

// bootOffset is what the time namespace of a process adds to CLOCK_BOOTTIME of the
// machine; proc_pid_timens_offsets(5).
func bootOffset(pid string) (time.Duration, error) {
	path := "/proc/" + pid + "/timens_offsets"
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "boottime" {
			continue
		}
		secs, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return 0, err
		}
		nsecs, err := strconv.ParseInt(fields[2], 10, 64)
		return time.Duration(secs)*time.Second + time.Duration(nsecs), err
	}
	return 0, &os.PathError{Op: "read", Path: path, Err: os.ErrInvalid}
}
