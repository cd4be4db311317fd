package pseudofs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// mayWrite tells whether a caller may write a node of the network namespace that the thread is
// in, whose attributes are st. Only an administrator of the network has the owner's rights there
// (net_ctl_permissions of net/sysctl_net.c).
func mayWrite(st linux.Stat, c fuse.Caller) (bool, error) {
	if st.Mode&0o002 != 0 {
		return true, nil
	}
	if st.UID != c.Uid || st.Mode&0o200 == 0 {
		return false, nil
	}
	return netAdmin(c.Pid)
}

// netAdmin tells whether a thread has CAP_NET_ADMIN in the user namespace that owns the network
// namespace of the calling thread: it has it there, or has made that namespace or one above it
// from its own (cap_capable_helper of security/commoncap.c).
func netAdmin(tid uint32) (bool, error) {
	euid, caps, own, err := credentials(int(tid))
	if err != nil {
		return false, err
	}
	net, err := linux.OpenNS(0, "net")
	if err != nil {
		return false, err
	}
	defer net.Close()
	ns, err := linux.UserNSOf(net)
	for made := false; err == nil; {
		st, err := linux.StatFile(ns)
		if err != nil || st.Ino == own {
			ns.Close()
			return err == nil && (made || caps&(1<<unix.CAP_NET_ADMIN) != 0), err
		}
		owner, err := linux.NSOwner(ns)
		made = err == nil && owner == euid
		parent, err := linux.ParentNS(ns)
		ns.Close()
		if err != nil { // EPERM: there is none
			return false, nil
		}
		ns = parent
	}
	return false, err
}

// credentials are a thread's effective user and capabilities, and its user namespace.
// proc_pid_status(5).
func credentials(tid int) (euid uint32, caps, userNS uint64, err error) {
	path := "/proc/" + strconv.Itoa(tid)
	status, err := os.ReadFile(path + "/status")
	if err != nil {
		return 0, 0, 0, err
	}
	found := 0
	for line := range bytes.Lines(status) {
		f := bytes.Fields(line)
		switch {
		case bytes.HasPrefix(line, []byte("Uid:")) && len(f) == 5:
			uid, err := strconv.ParseUint(string(f[2]), 10, 32)
			if err == nil {
				euid, found = uint32(uid), found+1
			}
		case bytes.HasPrefix(line, []byte("CapEff:")) && len(f) == 2:
			if caps, err = strconv.ParseUint(string(f[1]), 16, 64); err == nil {
				found++
			}
		}
	}
	if found != 2 {
		return 0, 0, 0, fmt.Errorf("%s: not a thread's status", path)
	}
	ns, err := linux.OpenNS(tid, "user")
	if err != nil {
		return 0, 0, 0, err
	}
	defer ns.Close()
	st, err := linux.StatFile(ns)
	return euid, caps, st.Ino, err
}
