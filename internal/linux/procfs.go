package linux

import (
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NewProc begins the configuration of a proc for the pid namespace ns, which must be the
// caller's own or one below it. EINVAL before Linux 6.18, which has the option "pidns".
func NewProc(ns *os.File) (*FS, error) {
	fs, err := NewFS("proc")
	if err != nil {
		return nil, err
	}
	err = fs.do(func(fd int) error {
		return unix.FsconfigSetString(fd, "pidns", "/proc/thread-self/fd/"+strconv.Itoa(int(ns.Fd())))
	})
	runtime.KeepAlive(ns)
	if err != nil {
		fs.Close()
		return nil, err
	}
	return fs, nil
}

// NewProcByChild is NewProc for every kernel: a child of the calling thread begins it in that pid
// namespace, and is gone when this returns. It changes for which pid namespace the thread has
// children: only in [OnThread]. ENOTSUP: no assembly for this processor.
func NewProcByChild(ns *os.File) (*FS, error) {
	if err := enterPIDNS(ns); err != nil {
		return nil, err
	}
	name := &[]byte("proc\x00")[0]
	var pins runtime.Pinner
	pins.Pin(name)
	defer pins.Unpin()
	fd, err := callsInChild("fsopen", []childCall{
		{nr: unix.SYS_FSOPEN, args: [6]uintptr{uintptr(unsafe.Pointer(name)), unix.FSOPEN_CLOEXEC}},
	})
	if err != nil {
		return nil, err
	}
	return &FS{os.NewFile(uintptr(fd), "proc")}, nil
}

// enterPIDNS makes ns the pid namespace of the children of the calling thread. setns(2).
func enterPIDNS(ns *os.File) error {
	return at("setns", ns, "", func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWPID) })
}
