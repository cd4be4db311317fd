package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/integration/probe/attempt"
)

// privileged tries what only the host's root may do. Each attempt is harmless
// where it succeeds.
func privileged(args []string) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("privileged needs the number of a disk, as major:minor, and a volume")
	}
	disk, err := parseDevice(args[0])
	if err != nil {
		return nil, err
	}
	report := []attempt.Attempt{
		reached("init_module", initModule()),
		reached("finit_module", finitModule()),
		reached("delete_module", unix.DeleteModule("eci_no_such_module", 0)),
		try("clock_settime", setClock()),
		try("adjtimex", adjustClock()),
		try("core_pattern", rewrite("/proc/sys/kernel/core_pattern")),
		try("sysctl kernel.panic", rewrite("/proc/sys/kernel/panic")),
		try("sysctl vm.overcommit_memory", rewrite("/proc/sys/vm/overcommit_memory")),
		try("sysrq-trigger", openOnly("/proc/sysrq-trigger", os.O_WRONLY)),
		try("drop_caches", openOnly("/proc/sys/vm/drop_caches", os.O_WRONLY)),
		try("kcore", openOnly("/proc/kcore", os.O_RDONLY)),
		try("kmsg", openOnly("/dev/kmsg", os.O_WRONLY)),
		try("uevent_helper", openOnly("/sys/kernel/uevent_helper", os.O_WRONLY)),
		try("disk-node", mknodOpen(unix.S_IFBLK, disk)),
		try("mem-node", mknodOpen(unix.S_IFCHR, unix.Mkdev(1, 1))),
		try("dev-disks", openAnyDisk()),
		try("/dev/mem", openOnly("/dev/mem", os.O_RDONLY)),
		try("bpf", bpfMapGetNextID()),
		reached("kexec_load", kexec()),
		reached("swapon", swapon()),
		try("iopl", iopl()),
		try("open_by_handle_at", openByHandle(args[1])),
		try("foreign process", foreignProcess()),
	}
	return report, nil
}

// reached is an attempt with arguments that nobody accepts: its effect is to get
// past the check of privileges, to any other error.
func reached(name string, err error) attempt.Attempt {
	denied := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS)
	return attempt.Attempt{Name: name, Errno: errno(err), Effect: !denied}
}

func parseDevice(number string) (uint64, error) {
	left, right, _ := strings.Cut(number, ":")
	major, err1 := strconv.ParseUint(left, 10, 32)
	minor, err2 := strconv.ParseUint(right, 10, 32)
	return unix.Mkdev(uint32(major), uint32(minor)), errors.Join(err1, err2)
}

func initModule() error { return unix.InitModule([]byte("no module"), "") }

func finitModule() error {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}

// setClock sets the clock to the time that it shows.
func setClock() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return err
	}
	return unix.ClockSettime(unix.CLOCK_REALTIME, &now)
}

func adjustClock() error {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return err
	}
	_, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_TICK, Tick: t.Tick})
	return err
}

// rewrite writes to a file what is in it.
func rewrite(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return writeExisting(path, string(data))
}

func openOnly(path string, flags int) error {
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func mknodOpen(kind uint32, device uint64) error {
	dir, err := os.MkdirTemp("/dev/shm", "node-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "node")
	if err := unix.Mknod(path, kind|0o600, int(device)); err != nil {
		return err
	}
	return openOnly(path, os.O_RDONLY)
}

// openAnyDisk succeeds if there is any block device in /dev that can be opened.
func openAnyDisk() error {
	entries, err := os.ReadDir("/dev")
	if err != nil {
		return err
	}
	err = unix.ENOENT
	for _, e := range entries {
		if e.Type()&(os.ModeDevice|os.ModeCharDevice) == os.ModeDevice {
			if err = openOnly("/dev/"+e.Name(), os.O_RDONLY); err == nil {
				return nil
			}
		}
	}
	return err
}

// bpfMapGetNextID is what `bpftool map show` begins with.
func bpfMapGetNextID() error {
	const bpfMapGetNextID = 12
	attr := [16]byte{}
	_, _, e := unix.Syscall(unix.SYS_BPF, bpfMapGetNextID, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if e == 0 || e == unix.ENOENT { // ENOENT: there is no map, but we may ask
		return nil
	}
	return e
}

func kexec() error {
	_, _, e := unix.Syscall6(unix.SYS_KEXEC_LOAD, 0, 1<<20, 0, 0, 0, 0)
	return nonZero(e)
}

func swapon() error {
	_, _, e := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(cString("/eci-no-such-file"))), 0, 0)
	return nonZero(e)
}

func nonZero(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// openByHandle opens a directory of a volume by its file handle. The break-out
// known as "shocker" reached files outside of a volume so, by guessed handles.
func openByHandle(volume string) error {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, volume, 0)
	if err != nil {
		return err
	}
	dir, err := os.Open(volume)
	if err != nil {
		return err
	}
	defer dir.Close()
	fd, err := unix.OpenByHandleAt(int(dir.Fd()), handle, unix.O_RDONLY)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// foreignProcess succeeds if a process of another user namespace can be seen.
func foreignProcess() error {
	mine, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return err
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/user")
	if err != nil {
		return err
	}
	for _, link := range links {
		if theirs, err := os.Readlink(link); err == nil && theirs != mine {
			return nil
		}
	}
	return unix.ESRCH
}
