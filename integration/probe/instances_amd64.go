package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// More numbers of system calls on i386.
const (
	i386Umount           = 22 // without flags
	i386Sysinfo          = 116
	i386Fsopen           = 430
	i386OpenTree         = 428
	i386SchedGetaffinity = 242
)

// low is memory that 32-bit system calls can reach.
type low struct {
	page []byte
	used int
}

func newLow() (*low, error) {
	page, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_32BIT)
	return &low{page: page}, err
}

// put copies text there, and returns its address.
func (l *low) put(text string) uint32 {
	at := &l.page[l.used]
	copy(l.page[l.used:], text)
	l.used += (len(text) + 8) &^ 7
	return uint32(uintptr(unsafe.Pointer(at)))
}

func called(r int32) error {
	if r < 0 {
		return unix.Errno(-r)
	}
	return nil
}

// int80Instances goes the main ways by 32-bit system calls.
func int80Instances(prefix string) []instance {
	var report []instance
	for _, w := range []way{
		{"int80/mount", func(dir string) (string, error) {
			l, err := newLow()
			if err != nil {
				return "", err
			}
			name := l.put("proc")
			return dir, called(int80(i386Mount, name, l.put(dir), name, 0, 0))
		}},
		{"int80/bind", func(dir string) (string, error) {
			l, err := newLow()
			if err != nil {
				return "", err
			}
			return dir, called(int80(i386Mount, l.put("/proc"), l.put(dir), 0, unix.MS_BIND, 0))
		}},
		{"int80/fsopen", func(string) (string, error) {
			l, err := newLow()
			if err != nil {
				return "", err
			}
			r := int80(i386Fsopen, l.put("proc"), unix.FSOPEN_CLOEXEC, 0, 0, 0)
			if r >= 0 {
				_ = unix.Close(int(r))
				return "", os.ErrExist // a context of the kernel's own was given
			}
			return "", called(r)
		}},
		{"int80/open_tree", func(dir string) (string, error) {
			l, err := newLow()
			if err != nil {
				return "", err
			}
			minus100 := int32(unix.AT_FDCWD)
			fd := int80(i386OpenTree, uint32(minus100), l.put("/proc"), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC, 0, 0)
			if fd < 0 {
				return "", called(fd)
			}
			defer unix.Close(int(fd))
			return dir, unix.MoveMount(int(fd), "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
		}},
	} {
		report = append(report, w.try(prefix))
	}
	return report
}

// int80Umounts tries to take a pseudo-file away by 32-bit system calls.
func int80Umounts(path string) []attempt.Attempt {
	l, err := newLow()
	if err != nil {
		return []attempt.Attempt{try("int80/", err)}
	}
	at := l.put(path)
	return []attempt.Attempt{
		try("int80/umount", called(int80(i386Umount, at, 0, 0, 0, 0))),
		try("int80/umount2", called(int80(i386Umount2, at, 0, 0, 0, 0))),
		try("int80/umount2 detach", called(int80(i386Umount2, at, unix.MNT_DETACH, 0, 0, 0))),
	}
}

// sysinfo32 is struct sysinfo of 32-bit programs; include/uapi/linux/sysinfo.h.
type sysinfo32 struct {
	Uptime                          int32
	Loads                           [3]uint32
	Total, Free, Shared, Buffer     uint32
	TotalSwap, FreeSwap             uint32
	Procs, _                        uint16
	TotalHigh, FreeHigh, MemoryUnit uint32
	_                               [8]byte
}

// askSysinfo32 is askSysinfo by a 32-bit system call.
func askSysinfo32([]string) (any, error) {
	l, err := newLow()
	if err != nil {
		return nil, err
	}
	at := l.put(string(make([]byte, unsafe.Sizeof(sysinfo32{}))))
	if err := called(int80(i386Sysinfo, at, 0, 0, 0, 0)); err != nil {
		return nil, err
	}
	info := (*sysinfo32)(unsafe.Pointer(&l.page[0]))
	unit := uint64(info.MemoryUnit)
	s := sysinfo{
		Uptime: int64(info.Uptime), Procs: uint64(info.Procs),
		TotalRAM: uint64(info.Total) * unit, FreeRAM: uint64(info.Free) * unit, BufferRAM: uint64(info.Buffer) * unit,
		TotalSwap: uint64(info.TotalSwap) * unit, FreeSwap: uint64(info.FreeSwap) * unit,
	}
	for i, load := range info.Loads {
		s.Loads[i] = float64(load) / (1 << 16)
	}
	return s, nil
}

// allowed32 counts the CPUs that sched_getaffinity(2) of 32-bit programs tells.
func allowed32([]string) (any, error) {
	l, err := newLow()
	if err != nil {
		return nil, err
	}
	const size = 128
	at := l.put(string(make([]byte, size)))
	n := int80(i386SchedGetaffinity, 0, size, at, 0, 0)
	if err := called(n); err != nil {
		return nil, err
	}
	allowed := []int{}
	for i := range int(n) * 8 {
		if l.page[i/8]&(1<<(i%8)) != 0 {
			allowed = append(allowed, i)
		}
	}
	return map[string]any{"allowed": allowed}, nil
}
