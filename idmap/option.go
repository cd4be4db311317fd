package idmap

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is a mount as containerd's snapshotters describe it.
type Mount struct {
	// Type is the file system type, or "bind".
	Type string
	// Source is a device or a directory, as Type needs.
	Source string
	// Options are those of mount(8).
	Options []string
}

// mountFlag is a mount option that is a flag of the mount, not of the file
// system.
type mountFlag struct {
	ms    uintptr // for mount(2)
	attr  uint64  // for mount_setattr(2)
	clear bool    // the option takes the flag away
	atime bool    // attr is a value of the field MOUNT_ATTR__ATIME
}

// mountFlags are the options that are flags. "loop" and "remount" are not
// among them on purpose.
var mountFlags = map[string]mountFlag{
	"async":         {ms: unix.MS_SYNCHRONOUS, clear: true},
	"atime":         {ms: unix.MS_NOATIME, clear: true, atime: true},
	"bind":          {ms: unix.MS_BIND},
	"defaults":      {},
	"dev":           {ms: unix.MS_NODEV, attr: unix.MOUNT_ATTR_NODEV, clear: true},
	"diratime":      {ms: unix.MS_NODIRATIME, attr: unix.MOUNT_ATTR_NODIRATIME, clear: true},
	"dirsync":       {ms: unix.MS_DIRSYNC},
	"exec":          {ms: unix.MS_NOEXEC, attr: unix.MOUNT_ATTR_NOEXEC, clear: true},
	"noatime":       {ms: unix.MS_NOATIME, attr: unix.MOUNT_ATTR_NOATIME, atime: true},
	"nodev":         {ms: unix.MS_NODEV, attr: unix.MOUNT_ATTR_NODEV},
	"nodiratime":    {ms: unix.MS_NODIRATIME, attr: unix.MOUNT_ATTR_NODIRATIME},
	"noexec":        {ms: unix.MS_NOEXEC, attr: unix.MOUNT_ATTR_NOEXEC},
	"norelatime":    {ms: unix.MS_RELATIME, clear: true},
	"nostrictatime": {ms: unix.MS_STRICTATIME, clear: true, atime: true},
	"nosuid":        {ms: unix.MS_NOSUID, attr: unix.MOUNT_ATTR_NOSUID},
	"nosymfollow":   {ms: unix.MS_NOSYMFOLLOW, attr: unix.MOUNT_ATTR_NOSYMFOLLOW},
	"rbind":         {ms: unix.MS_BIND | unix.MS_REC},
	"relatime":      {ms: unix.MS_RELATIME, attr: unix.MOUNT_ATTR_RELATIME, atime: true},
	"ro":            {ms: unix.MS_RDONLY, attr: unix.MOUNT_ATTR_RDONLY},
	"rw":            {ms: unix.MS_RDONLY, attr: unix.MOUNT_ATTR_RDONLY, clear: true},
	"strictatime":   {ms: unix.MS_STRICTATIME, attr: unix.MOUNT_ATTR_STRICTATIME, atime: true},
	"suid":          {ms: unix.MS_NOSUID, attr: unix.MOUNT_ATTR_NOSUID, clear: true},
	"sync":          {ms: unix.MS_SYNCHRONOUS},
}

// options are mount options, sorted by who reads them.
type options struct {
	ms uintptr // MS_* of mount(2)
	// set and clear are MOUNT_ATTR_* of mount_setattr(2).
	set, clear uint64
	uidmap     string // value of uidmap=, "" if absent
	gidmap     string
	data       []string // what the file system reads, in order
}

// parseOptions sorts the options. Later ones win. ErrMountOption for those that
// only a mount manager can carry out.
func parseOptions(opts []string) (options, error) {
	var o options
	for _, opt := range opts {
		f, isFlag := mountFlags[opt]
		key, value, _ := strings.Cut(opt, "=")
		switch {
		case isFlag:
			o.apply(f)
		case key == "uidmap":
			o.uidmap = value
		case key == "gidmap":
			o.gidmap = value
		case opt == "loop", opt == "remount", strings.HasPrefix(opt, "X-containerd."):
			return options{}, fmt.Errorf("%w: %q", ErrMountOption, opt)
		default:
			o.data = append(o.data, opt)
		}
	}
	return o, nil
}

// apply adds a flag. The attribute of access times is a field, not a bit: the
// kernel wants the whole of it cleared when it is set (mount_setattr(2)).
func (o *options) apply(f mountFlag) {
	if f.atime {
		o.set &^= unix.MOUNT_ATTR__ATIME
		o.clear |= unix.MOUNT_ATTR__ATIME
	}
	if f.clear {
		o.ms &^= f.ms
		o.set &^= f.attr
		o.clear |= f.attr
		return
	}
	o.ms |= f.ms
	o.set |= f.attr
	if !f.atime {
		o.clear &^= f.attr
	}
}

// recursive tells whether a bind takes the mounts below along.
func (o options) recursive() bool { return o.ms&unix.MS_REC != 0 }
