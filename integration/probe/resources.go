package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// sysinfo is what sysinfo(2) answers, in bytes where it is memory.
type sysinfo struct {
	Uptime    int64      `json:"uptime"`
	Loads     [3]float64 `json:"loads"`
	TotalRAM  uint64     `json:"totalRAM"`
	FreeRAM   uint64     `json:"freeRAM"`
	BufferRAM uint64     `json:"bufferRAM"`
	TotalSwap uint64     `json:"totalSwap"`
	FreeSwap  uint64     `json:"freeSwap"`
	Procs     uint64     `json:"procs"`
}

func askSysinfo([]string) (any, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("sysinfo: %w", err)
	}
	unit := uint64(info.Unit)
	s := sysinfo{
		Uptime: int64(info.Uptime), Procs: uint64(info.Procs),
		TotalRAM: uint64(info.Totalram) * unit, FreeRAM: uint64(info.Freeram) * unit, BufferRAM: uint64(info.Bufferram) * unit,
		TotalSwap: uint64(info.Totalswap) * unit, FreeSwap: uint64(info.Freeswap) * unit,
	}
	for i, load := range info.Loads {
		s.Loads[i] = float64(load) / (1 << 16) // SI_LOAD_SHIFT
	}
	return s, nil
}

// cpus reports which CPUs this process may use, and what Go makes of them.
func cpus([]string) (any, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	allowed := []int{}
	for i := range 1024 {
		if set.IsSet(i) {
			allowed = append(allowed, i)
		}
	}
	return map[string]any{"allowed": allowed, "numCPU": runtime.NumCPU(), "goMaxProcs": runtime.GOMAXPROCS(0)}, nil
}

// burn uses processor time, in seconds.
func burn(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("burn needs a number of seconds")
	}
	seconds, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return nil, err
	}
	for {
		var used unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &used); err != nil {
			return nil, err
		}
		if float64(used.Nano()) >= seconds*float64(time.Second) {
			return map[string]float64{"used": float64(used.Nano()) / 1e9}, nil
		}
	}
}

// hold takes memory, in MiB, says so, and keeps it until standard input ends.
func hold(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("hold needs a number of MiB")
	}
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	page, err := unix.Mmap(-1, 0, size<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	for i := 0; i < len(page); i += os.Getpagesize() {
		page[i] = 1
	}
	fmt.Println("holding")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return map[string]int{"held": len(page)}, nil
}

// openMany opens a file many times, and reads the first, the middle and the last while all
// of them are open.
func openMany(args []string) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("open-many needs a path and a number")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	files := make([]*os.File, 0, n)
	for range n {
		f, err := os.Open(args[0])
		if err != nil {
			return nil, fmt.Errorf("after %d: %w", len(files), err)
		}
		files = append(files, f)
	}
	texts := map[string]string{}
	for name, f := range map[string]*os.File{"first": files[0], "middle": files[n/2], "last": files[n-1]} {
		buf := make([]byte, 4096)
		n, err := f.Read(buf)
		if err != nil {
			return nil, err
		}
		texts[name] = string(buf[:n])
	}
	for _, f := range files {
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return texts, nil
}
