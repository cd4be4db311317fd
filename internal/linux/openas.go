package linux

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenAs is openat2(2) with an O_PATH file as the result, by a child that is in the user
// namespace userNS, with every capability there, as its user uid and group gid, and with the
// root directory root. It gets through a FUSE that was mounted in that namespace, where the
// host's root gets EACCES (fuse(4), allow_other).
//
// The child must not be visible to anybody in userNS, who could take over its memory, which is
// that of this process: userNS's processes must be in another pid namespace than the caller.
// ENOTSUP: no assembly for this processor.
func OpenAs(userNS *os.File, uid, gid uint32, root, dir *os.File, path string, flags int, resolve uint64) (*os.File, error) {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: path, Err: err}
	}
	how := &unix.OpenHow{Flags: uint64(flags | unix.O_PATH | unix.O_CLOEXEC), Resolve: resolve}
	dot := &[]byte(".\x00")[0]
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(name)
	pins.Pin(how)
	pins.Pin(dot)
	fd := unix.AT_FDCWD
	if dir != nil {
		fd = int(dir.Fd())
	}
	got, err := callsInChild("openat2", []childCall{
		{nr: unix.SYS_FCHDIR, args: [6]uintptr{root.Fd()}},
		{nr: unix.SYS_CHROOT, args: [6]uintptr{uintptr(unsafe.Pointer(dot))}},
		{nr: unix.SYS_SETGROUPS},
		{nr: unix.SYS_SETNS, args: [6]uintptr{userNS.Fd(), unix.CLONE_NEWUSER}},
		{nr: unix.SYS_SETRESGID, args: [6]uintptr{uintptr(gid), uintptr(gid), uintptr(gid)}},
		{nr: unix.SYS_SETRESUID, args: [6]uintptr{uintptr(uid), uintptr(uid), uintptr(uid)}},
		{nr: unix.SYS_PRCTL, args: [6]uintptr{unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)}},
		{nr: unix.SYS_OPENAT2, args: [6]uintptr{
			uintptr(fd), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(how)), unsafe.Sizeof(*how),
		}},
	})
	runtime.KeepAlive(userNS)
	runtime.KeepAlive(root)
	runtime.KeepAlive(dir)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(got), path), nil
}
