package seccomp

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// options are what a caller wants of a new proc or sysfs.
type options struct {
	source string
	set    [][2]string // options of the file system, with host IDs
	attr   int         // MOUNT_ATTR_*
}

// options reads the arguments of mount(2).
func (r *request) options() (o options, err error) {
	o.attr = attributes(r.args[3])
	if o.source, err = r.t.readOptional(r.args[0]); err != nil {
		return o, err
	}
	data, err := r.t.readOptional(r.args[4])
	if err != nil {
		return o, err
	}
	for option := range strings.SplitSeq(data, ",") {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "":
			continue
		case "pidns", "source":
			return o, unix.EINVAL // a path of the caller's would be one of ours
		case "gid":
			if value, err = r.hostGroup(value); err != nil {
				return o, err
			}
		}
		o.set = append(o.set, [2]string{key, value})
	}
	return o, nil
}

// hostGroup is the host's number of a group of the caller's, both as text.
func (r *request) hostGroup(text string) (string, error) {
	inside, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		return "", unix.EINVAL
	}
	host, err := r.t.numberOutside("gid_map", uint32(inside))
	return strconv.FormatUint(uint64(host), 10), err
}

// detached makes a mount that shows the caller's namespace.
func (t *target) detached(k kernelType, o options) (mount *os.File, err error) {
	ns, err := t.namespace(k.namespace)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	if k.namespace == "pid" {
		if fs, err := linux.NewProc(ns); err == nil {
			return o.mount(fs)
		}
	}
	err = linux.OnThread(func() error {
		fs, err := begin(k, ns)
		if err != nil {
			return err
		}
		mount, err = o.mount(fs)
		return err
	})
	return mount, err
}

// begin begins a file system that shows a namespace.
func begin(k kernelType, ns *os.File) (*linux.FS, error) {
	if k.namespace == "pid" {
		return linux.NewProcByChild(ns)
	}
	if err := linux.EnterNetNS(ns); err != nil {
		return nil, err
	}
	return linux.NewFS(k.fstype)
}

// mount makes the file system that was begun, and ends the configuration.
func (o options) mount(fs *linux.FS) (*os.File, error) {
	defer fs.Close()
	if o.source != "" {
		if err := fs.Set("source", o.source); err != nil {
			return nil, err
		}
	}
	for _, option := range o.set {
		if err := fs.Set(option[0], option[1]); err != nil {
			return nil, err
		}
	}
	return fs.Mount(o.attr)
}

// attributes are the MOUNT_ATTR_* of flags of mount(2).
func attributes(flags uint64) int {
	attr := unix.MOUNT_ATTR_RELATIME
	switch {
	case flags&unix.MS_STRICTATIME != 0:
		attr = unix.MOUNT_ATTR_STRICTATIME
	case flags&unix.MS_NOATIME != 0:
		attr = unix.MOUNT_ATTR_NOATIME
	}
	for _, f := range []struct{ flag, attr int }{
		{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY},
		{unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID},
		{unix.MS_NODEV, unix.MOUNT_ATTR_NODEV},
		{unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
		{unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
		{unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	} {
		if flags&uint64(f.flag) != 0 {
			attr |= f.attr
		}
	}
	return attr
}
