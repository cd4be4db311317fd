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
// namespace of the calling thread.
func netAdmin(tid uint32) (bool, error) {
	euid, caps, err := credentials(int(tid))
	if err != nil {
		return false, err
	}
	home, err := linux.OpenNS(int(tid), "user")
	if err != nil {
		return false, err
	}
	defer home.Close()
	net, err := linux.OpenNS(0, "net")
	if err != nil {
		return false, err
	}
	defer net.Close()
	return linux.Capable(net, home, euid, caps, unix.CAP_NET_ADMIN)
}

// credentials are a thread's effective user and capabilities. proc_pid_status(5).
func credentials(tid int) (euid uint32, caps uint64, err error) {
	path := "/proc/" + strconv.Itoa(tid)
	status, err := os.ReadFile(path + "/status")
	if err != nil {
		return 0, 0, err
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
		return 0, 0, fmt.Errorf("%s: not a thread's status", path)
	}
	return euid, caps, nil
}
