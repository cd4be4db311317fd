package idmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// explain finds out which mount of a source could not be ID-mapped, and why.
// It runs in the host's mount namespace, after cause.
func (s *Stage) explain(src *Source, a VolumeAttr, cause error) error {
	if err := s.tryMap(src.File); err != nil {
		fstype, _ := src.FSType()
		return unsupported(fstype, src.Path, err)
	}
	if !a.Recursive {
		return fmt.Errorf("set attributes of %s: %w", src.Path, cause)
	}
	mounts, err := mountsBelow(src.File)
	if err != nil {
		return fmt.Errorf("set attributes of %s: %w", src.Path, errors.Join(cause, err))
	}
	for _, m := range mounts {
		f, err := linux.OpenPath(m.Mountpoint)
		if err != nil {
			continue // hidden below another mount
		}
		err = s.tryMap(f)
		f.Close()
		if err != nil {
			return unsupported(m.FSType, m.Mountpoint, err)
		}
	}
	return fmt.Errorf("set attributes of %s: %w", src.Path, cause)
}

// tryMap tries whether the mount of f can be ID-mapped, with nothing else.
func (s *Stage) tryMap(f *os.File) error {
	tree, err := linux.OpenTree(f, "", false)
	if err != nil {
		return nil
	}
	defer tree.Close()
	return linux.SetAttr(tree, linux.Attr{UserNS: s.UserNS})
}

// unsupported puts the kernel's answer into words (mount_setattr(2)).
func unsupported(fstype, path string, err error) error {
	reason := "the kernel does not support it for this file system"
	switch {
	case errors.Is(err, unix.EPERM):
		reason = "it is ID-mapped already, or belongs to another user namespace"
	case idmapSince[fstype] != "":
		reason += "; it is supported from Linux " + idmapSince[fstype]
	}
	return &UnsupportedError{FSType: fstype, Path: path, Reason: reason, Err: err}
}

// mountsBelow lists the mounts at and below the directory f, in the mount
// namespace of the calling thread.
func mountsBelow(f *os.File) ([]*mountinfo.Info, error) {
	path, err := linux.ReadLink(nil, fmt.Sprintf("/proc/thread-self/fd/%d", f.Fd()))
	if err != nil {
		return nil, err
	}
	info, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer info.Close()
	return mountinfo.GetMountsFromReader(info, func(m *mountinfo.Info) (skip, stop bool) {
		return m.Mountpoint != path && !strings.HasPrefix(m.Mountpoint, filepath.Clean(path)+"/") && path != "/", false
	})
}
