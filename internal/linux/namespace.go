package linux

import (
	"cmp"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ioctl_nsfs(2); x/sys lacks them.
const (
	nsGetUserNS   = 0xb701
	nsGetParent   = 0xb702
	nsGetType     = 0xb703
	nsGetOwnerUID = 0xb704
)

// nsfsMagic is the file system of namespaces, NSFS_MAGIC of linux/magic.h.
const nsfsMagic = 0x6e736673

// OpenNS opens a namespace of process pid, 0 for the calling thread: kind is a
// name of /proc/<pid>/ns ("mnt", "user", …). namespaces(7).
func OpenNS(pid int, kind string) (*os.File, error) {
	who := "thread-self"
	if pid != 0 {
		who = strconv.Itoa(pid)
	}
	return OpenAt(nil, "/proc/"+who+"/ns/"+kind, unix.O_RDONLY, 0)
}

// FollowNS opens the namespace that path leads to, through symbolic links and the
// magic ones of /proc/<pid>/ns; ErrNoNamespace if it is anything else. That is
// looked at before anything but O_PATH is asked for: to open a device or a FIFO
// may do something.
func FollowNS(path string) (*os.File, error) {
	at, err := OpenPath(path)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	if magic, err := FSMagic(at); err != nil || magic != nsfsMagic {
		return nil, &os.PathError{Op: "open namespace", Path: path, Err: cmp.Or(err, ErrNoNamespace)}
	}
	return Reopen(at, unix.O_RDONLY)
}

// ErrNoNamespace says that a file is no namespace.
var ErrNoNamespace = errors.New("not a namespace")

// NSType is the type of the namespace ns as a CLONE_NEW* flag. ioctl_nsfs(2).
func NSType(ns *os.File) (flag int, err error) {
	err = at("ioctl NS_GET_NSTYPE", ns, "", func(fd int) (err error) {
		flag, err = unix.IoctlRetInt(fd, nsGetType)
		return err
	})
	return flag, err
}

// EnterNetNS moves the calling thread into the network namespace ns; only in
// [OnThread]. setns(2).
func EnterNetNS(ns *os.File) error {
	return at("setns", ns, "", func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNET) })
}

// EnterMountNS moves the calling thread into the mount namespace ns; working
// directory and root become those of ns. Only in [OnThread]: the thread must
// share its struct fs with no other (else EINVAL). setns(2).
func EnterMountNS(ns *os.File) error {
	return at("setns", ns, "", func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNS) })
}

// VisitMountNS moves the calling thread into the mount namespace ns like [EnterMountNS], but
// leaves it its root: paths lead to where they led before, while what it mounts and unmounts,
// by descriptors, is in ns. Only in [OnThread].
func VisitMountNS(ns *os.File) error {
	root, err := OpenPath("/")
	if err != nil {
		return err
	}
	defer root.Close()
	if err := EnterMountNS(ns); err != nil {
		return err
	}
	return ChangeRoot(root)
}

// UserNSOf opens the user namespace that owns the namespace ns. EPERM: it is
// not within the caller's own. ioctl_nsfs(2).
func UserNSOf(ns *os.File) (*os.File, error) {
	return openAt("ioctl NS_GET_USERNS", ns, "", func(fd int) (int, error) {
		return unix.IoctlRetInt(fd, nsGetUserNS)
	})
}

// NSOwner is the user who made the user namespace ns, and so has every right in it.
// ioctl_nsfs(2), Linux 4.11.
func NSOwner(ns *os.File) (uid uint32, err error) {
	err = at("ioctl NS_GET_OWNER_UID", ns, "", func(fd int) (err error) {
		uid, err = unix.IoctlGetUint32(fd, nsGetOwnerUID)
		return err
	})
	return uid, err
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
