package linux

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// secbitNoSetuidFixup keeps the capabilities when user IDs change between zero
// and non-zero (capabilities(7)).
const secbitNoSetuidFixup = 1 << 2

// KeepCaps makes the calling thread keep all capabilities when its user IDs
// change. It needs CAP_SETPCAP. prctl(PR_SET_SECUREBITS); only in [OnThread].
func KeepCaps() error {
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return os.NewSyscallError("prctl PR_GET_SECUREBITS", err)
	}
	if bits&secbitNoSetuidFixup != 0 {
		return nil
	}
	err = unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits|secbitNoSetuidFixup), 0, 0, 0)
	return os.NewSyscallError("prctl PR_SET_SECUREBITS", err)
}

// SetFSIDs makes the calling thread touch files as user uid and group gid.
// Without [KeepCaps] before, it loses the file capabilities. setfsuid(2),
// setfsgid(2): the raw calls, which change one thread; only in [OnThread].
func SetFSIDs(uid, gid uint32) error {
	// These calls report no error: the previous ID is given, whatever
	// happened. A second call with an invalid ID tells what is set now.
	_, _ = unix.SetfsgidRetGid(int(gid))
	if now, _ := unix.SetfsgidRetGid(-1); uint32(now) != gid {
		return os.NewSyscallError("setfsgid", fmt.Errorf("%w: wanted %d, have %d", unix.EPERM, gid, uint32(now)))
	}
	_, _ = unix.SetfsuidRetUid(int(uid))
	if now, _ := unix.SetfsuidRetUid(-1); uint32(now) != uid {
		return os.NewSyscallError("setfsuid", fmt.Errorf("%w: wanted %d, have %d", unix.EPERM, uid, uint32(now)))
	}
	return nil
}
