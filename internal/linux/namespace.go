package linux

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ioctl_nsfs(2); x/sys lacks them.
const (
	nsGetUserNS = 0xb701
	nsGetParent = 0xb702
)

// OpenNS opens a namespace of process pid, 0 for the calling thread: kind is a
// name of /proc/<pid>/ns ("mnt", "user", …). namespaces(7).
func OpenNS(pid int, kind string) (*os.File, error) {
	who := "thread-self"
	if pid != 0 {
		who = strconv.Itoa(pid)
	}
	return OpenAt(nil, "/proc/"+who+"/ns/"+kind, unix.O_RDONLY, 0)
}

// EnterMountNS moves the calling thread into the mount namespace ns; working
// directory and root become those of ns. Only in [OnThread]: the thread must
// share its struct fs with no other (else EINVAL). setns(2).
func EnterMountNS(ns *os.File) error {
	return at("setns", ns, "", func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNS) })
}

// UserNSOf opens the user namespace that owns the namespace ns. EPERM: it is
// not within the caller's own. ioctl_nsfs(2).
func UserNSOf(ns *os.File) (*os.File, error) {
	return openAt("ioctl NS_GET_USERNS", ns, "", func(fd int) (int, error) {
		return unix.IoctlRetInt(fd, nsGetUserNS)
	})
}

// ParentNS opens the parent of the user or pid namespace ns. EPERM: it is not
// within the caller's own. ioctl_nsfs(2).
func ParentNS(ns *os.File) (*os.File, error) {
	return openAt("ioctl NS_GET_PARENT", ns, "", func(fd int) (int, error) {
		return unix.IoctlRetInt(fd, nsGetParent)
	})
}

// ChangeDir makes dir the working directory of the calling thread; only in
// [OnThread]. fchdir(2).
func ChangeDir(dir *os.File) error {
	return at("fchdir", dir, "", unix.Fchdir)
}
