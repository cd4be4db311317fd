package linux

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenAs is openat2(2) with an O_PATH file as the result, by a child that is in the user
// namespace userNS, with every capability there, as its user uid and group gid, and with the
// root directory root, from dir. It gets through a FUSE that was mounted in that namespace, where the
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
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	how := &unix.OpenHow{Flags: uint64(flags | unix.O_PATH | unix.O_CLOEXEC), Resolve: resolve}
	dot := &[]byte(".\x00")[0]
	rights := unix.UnixRights(childOpened)
	iov := &unix.Iovec{Base: dot}
	iov.SetLen(1)
	message := &unix.Msghdr{Iov: iov, Control: &rights[0]}
	message.SetIovlen(1)
	message.SetControllen(len(rights))
	var pins runtime.Pinner
	defer pins.Unpin()
	for _, p := range []any{name, how, dot, iov, message, &rights[0]} {
		pins.Pin(p)
	}
	table := ownTableCalls(pair[1], int(root.Fd()), int(userNS.Fd()), int(dir.Fd()))
	_, err = callsInChild("openat2", append(table, []childCall{
		{nr: unix.SYS_FCHDIR, args: [6]uintptr{1}},
		{nr: unix.SYS_CHROOT, args: [6]uintptr{uintptr(unsafe.Pointer(dot))}},
		{nr: unix.SYS_SETGROUPS},
		{nr: unix.SYS_SETNS, args: [6]uintptr{2, unix.CLONE_NEWUSER}},
		{nr: unix.SYS_SETRESGID, args: [6]uintptr{uintptr(gid), uintptr(gid), uintptr(gid)}},
		{nr: unix.SYS_SETRESUID, args: [6]uintptr{uintptr(uid), uintptr(uid), uintptr(uid)}},
		{nr: unix.SYS_PRCTL, args: [6]uintptr{unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)}},
		{nr: unix.SYS_OPENAT2, args: [6]uintptr{
			3, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(how)), unsafe.Sizeof(*how),
		}},
		{nr: unix.SYS_SENDMSG, args: [6]uintptr{0, uintptr(unsafe.Pointer(message)), unix.MSG_NOSIGNAL}},
	}...))
	runtime.KeepAlive(userNS)
	runtime.KeepAlive(root)
	runtime.KeepAlive(dir)
	if err != nil {
		return nil, err
	}
	return receiveFile(pair[0], path)
}

// childOpened is the number of what a child opens first after [ownTableCalls] with four files.
const childOpened = 4

// ownTableCalls give a child a table of descriptors of its own, with nothing but some, which get
// the numbers from 0 on. They must not be below their number there. So the child, which may have
// to wait for a file system of a container and then cannot even be killed, holds no socket of this
// process, whose other end is to learn that it was.
func ownTableCalls(fds ...int) []childCall {
	calls := []childCall{{nr: unix.SYS_UNSHARE, args: [6]uintptr{unix.CLONE_FILES}}}
	for to, fd := range fds {
		if fd != to {
			calls = append(calls, childCall{nr: unix.SYS_DUP3, args: [6]uintptr{uintptr(fd), uintptr(to)}})
		}
	}
	return append(calls, childCall{nr: unix.SYS_CLOSE_RANGE, args: [6]uintptr{uintptr(len(fds)), 1<<32 - 1}})
}

// receiveFile takes the file that was sent to a socket. unix(7), SCM_RIGHTS.
func receiveFile(socket int, name string) (*os.File, error) {
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return nil, os.NewSyscallError("recvmsg", unix.EBADMSG)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, os.NewSyscallError("recvmsg", unix.EBADMSG)
	}
	return os.NewFile(uintptr(fds[0]), name), nil
}
