package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// flood makes, from as many threads as it is told, calls that a runtime which intercepts
// or serves files has to answer, until it is killed. It says so once each thread has made some.
func flood(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("flood needs a number of threads")
	}
	threads, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	begun := make(chan struct{}, threads)
	for n := range threads {
		go func() {
			runtime.LockOSThread()
			for round := 0; ; round++ {
				if round == 10 {
					begun <- struct{}{}
				}
				switch (n + round) % 5 {
				case 0:
					_ = unix.Mount("proc", "/no/such/place", "proc", 0, "")
				case 1:
					_ = unix.Unmount("/proc/uptime", 0)
				case 2: // below a directory that is served as a whole
					_ = unix.Unmount("/proc/sys/net/core/somaxconn", 0)
				case 3:
					_, _ = os.ReadFile("/proc/uptime")
				default:
					var info unix.Sysinfo_t
					_ = unix.Sysinfo(&info)
				}
			}
		}()
	}
	for range threads {
		<-begun
	}
	fmt.Println("flooding")
	select {}
}

// cloneTree makes a detached copy of what is mounted at a path, and lets it go.
func cloneTree(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("clone-tree needs a path")
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, args[0], unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return "cloned", unix.Close(fd)
}

// latency mounts and unmounts a tmpfs, and a procfs, and reports how long that took, in
// nanoseconds.
func latency(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("latency needs a number of rounds")
	}
	rounds, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "latency-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dir)
	report := map[string]int64{}
	for _, kind := range []string{"tmpfs", "proc"} {
		var took []time.Duration
		for range rounds {
			begin := time.Now()
			if err := errors.Join(unix.Mount(kind, dir, kind, 0, ""), unix.Unmount(dir, unix.MNT_DETACH)); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		report[kind+"Median"], report[kind+"Max"] = int64(took[rounds/2]), int64(took[rounds-1])
	}
	return report, nil
}

// storm mounts and unmounts procfs while a signal arrives at some moment of each call. It
// reports how many calls failed, by error, and how many signals there were.
func storm(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("storm needs a number of rounds")
	}
	rounds, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "storm-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dir)
	var calls, signals atomic.Int64
	target := unix.Gettid()
	stopped := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(stopped)
		for seen := int64(0); seen >= 0; {
			call := calls.Load()
			if call == seen {
				continue
			}
			seen = call
			for range call * 7919 % 5000 {
				_ = unix.Getppid()
			}
			// SIGURG has a handler of the runtime of Go, with SA_RESTART.
			if unix.Tgkill(os.Getpid(), target, unix.SIGURG) == nil {
				signals.Add(1)
			}
		}
	}()
	failed := map[string]int{}
	for range rounds {
		calls.Add(1)
		if err := unix.Mount("proc", dir, "proc", 0, ""); err != nil {
			failed["mount "+errno(err)]++
			continue
		}
		if readFile(filepath.Join(dir, "uptime")) == "" {
			failed["read"]++
		}
		calls.Add(1)
		if err := unix.Unmount(dir, 0); err != nil {
			failed["umount "+errno(err)]++
		}
	}
	calls.Store(-1)
	<-stopped
	left := 0
	for ; unix.Unmount(dir, unix.MNT_DETACH) == nil; left++ {
	}
	return map[string]any{"signals": signals.Load(), "failed": failed, "left": left}, nil
}

// killed has children mount procfs, unmount it and ask for sysinfo without an end, and kills
// each at another moment. It reports what is still mounted at the end: nothing of that is
// anybody's any more.
func killed(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("killed needs a number of children")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "killed-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dir)
	for round := range n {
		out, in, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		cmd := exec.Command("/proc/self/exe", "killed-inner", dir)
		cmd.Stdout = in
		// A mount namespace of its own: whatever is mounted goes with it.
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		_ = in.Close()
		// It says a byte before each call: so many are waited for, and a little longer.
		_, _ = out.Read(make([]byte, 1+round%7))
		for range round * 37 % 2000 {
			_ = unix.Getppid()
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
	}
	left := 0
	for ; unix.Unmount(dir, unix.MNT_DETACH) == nil; left++ {
	}
	err = errors.Join(unix.Mount("proc", dir, "proc", 0, ""), unix.Unmount(dir, 0))
	return map[string]any{"left": left, "errno": errno(err)}, nil
}

func killedInner(args []string) (any, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	for {
		_, _ = os.Stdout.Write([]byte{'.'})
		_ = unix.Mount("proc", args[0], "proc", 0, "")
		var info unix.Sysinfo_t
		_ = unix.Sysinfo(&info)
		_ = unix.Unmount(args[0], 0)
	}
}
