package shim

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
	"github.com/eci-runtime/eci/internal/linux"
	"github.com/eci-runtime/eci/policy"
)

// volumeFlags are the mount options of a bind that restrict what the container
// can do with it, and what takes them back. With the prefix r, which asks for the
// mounts below the volume too, they mean the same here: flags are recursive.
var volumeFlags = map[string]struct{ set, unset uint64 }{
	"ro":            {unix.MOUNT_ATTR_RDONLY, 0},
	"rw":            {0, unix.MOUNT_ATTR_RDONLY},
	"nosuid":        {unix.MOUNT_ATTR_NOSUID, 0},
	"suid":          {0, unix.MOUNT_ATTR_NOSUID},
	"noexec":        {unix.MOUNT_ATTR_NOEXEC, 0},
	"exec":          {0, unix.MOUNT_ATTR_NOEXEC},
	"nosymfollow":   {unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
	"symfollow":     {0, unix.MOUNT_ATTR_NOSYMFOLLOW},
	"nodiratime":    {unix.MOUNT_ATTR_NODIRATIME, 0},
	"diratime":      {0, unix.MOUNT_ATTR_NODIRATIME},
	"noatime":       {unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME},
	"strictatime":   {unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME},
	"relatime":      {unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME},
	"norelatime":    {unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME},
	"nodev":         {},
	"nostrictatime": {},
}

// volumeAttr reads the options of a bind mount. Every volume is nodev: a node on
// it would be one of the host's. No option takes away a flag that the source has
// on the host. A read-only volume follows no mounts of the host, which would be
// writable; nor does one that the policy wants to be private.
func volumeAttr(m specs.Mount, private bool) idmap.VolumeAttr {
	attr := idmap.VolumeAttr{Recursive: policy.Recursive(m)}
	atime := false
	for _, option := range m.Options {
		switch option {
		case "slave", "rslave", "shared", "rshared":
			attr.Propagation = unix.MS_SLAVE
			continue
		case "private", "rprivate", "unbindable", "runbindable":
			attr.Propagation = unix.MS_PRIVATE
			continue
		}
		flag, ok := volumeFlags[option]
		if !ok {
			flag = volumeFlags[strings.TrimPrefix(option, "r")]
		}
		attr.Set = attr.Set&^flag.unset | flag.set
		atime = atime || flag.unset == unix.MOUNT_ATTR__ATIME
	}
	if atime {
		attr.Clear = unix.MOUNT_ATTR__ATIME
	}
	attr.Set |= unix.MOUNT_ATTR_NODEV
	if private || attr.Set&unix.MOUNT_ATTR_RDONLY != 0 {
		// A mount that follows from the host has the host's flags.
		attr.Propagation = unix.MS_PRIVATE
	}
	return attr
}

// targets resolves the destinations of the spec's mounts inside the rootfs, as
// far as they exist, by index. Without a bind mount, or state of engines, nobody asks.
func (b *builder) targets() []string {
	binds := len(b.decision.State) > 0
	for _, m := range b.spec.Mounts {
		binds = binds || policy.IsBind(m)
	}
	if !binds {
		return nil
	}
	return b.destinations()
}

// destinations are the targets, whoever asks.
func (b *builder) destinations() []string {
	resolved := make([]string, len(b.spec.Mounts))
	for i, m := range b.spec.Mounts {
		resolved[i] = b.resolve(filepath.Clean(m.Destination))
	}
	return resolved
}

// resolve follows the symbolic links of a path inside the rootfs; components that
// do not exist stay as they are. It gives "" when it cannot tell.
func (b *builder) resolve(path string) string {
	for rest := ""; ; path, rest = filepath.Dir(path), filepath.Join(filepath.Base(path), rest) {
		f, err := linux.OpenInRoot(b.root, path, unix.O_PATH)
		if err != nil {
			if path == "/" || !errors.Is(err, fs.ErrNotExist) {
				return ""
			}
			continue
		}
		real := b.inRoot(f)
		f.Close()
		if real == "" {
			return ""
		}
		return filepath.Join(real, rest)
	}
}

// inRoot is the path of a file inside the rootfs; "" if it is not there.
func (b *builder) inRoot(f *os.File) string {
	real, err := linux.PathOf(f)
	if err != nil || !within(real, b.grant.Root) {
		return ""
	}
	return filepath.Join("/", strings.TrimPrefix(real, b.grant.Root))
}
