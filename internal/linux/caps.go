package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// SetEffectiveCaps makes caps, a set of bits 1<<CAP_*, the effective capabilities of the
// calling thread; those that it is permitted stay, so that it can raise them again. EPERM:
// it is not permitted one of caps. capset(2), capabilities(7); only in [OnThread].
func SetEffectiveCaps(caps uint64) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	data[0].Effective, data[1].Effective = uint32(caps), uint32(caps>>32)
	return os.NewSyscallError("capset", unix.Capset(&hdr, &data[0]))
}

// SetGroups makes groups the supplementary groups of the calling thread, and of no other.
// It needs CAP_SETGID. The raw setgroups(2); only in [OnThread].
func SetGroups(groups []uint32) error {
	ids := make([]int, len(groups))
	for i, g := range groups {
		ids[i] = int(g)
	}
	return os.NewSyscallError("setgroups", unix.Setgroups(ids))
}

// ChangeRoot makes dir the root and the working directory of the calling thread, in
// whatever mount namespace it is. It needs CAP_SYS_CHROOT. chroot(2); only in [OnThread].
func ChangeRoot(dir *os.File) error {
	if err := ChangeDir(dir); err != nil {
		return err
	}
	return at("chroot", dir, "", func(int) error { return unix.Chroot(".") })
}
