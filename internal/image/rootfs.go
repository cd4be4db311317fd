package image

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/eci-runtime/eci/internal/linux"
)

// errOther says that the root file system is something else than what the engine has
// under the container's name.
var errOther = errors.New("the root file system of the request is not the engine's snapshot of the container")

// isRootfs proves that the root file system is what the snapshot's mounts show: they
// are in the request, or one of the same layers is mounted where the request, or the
// spec, says.
func isRootfs(q Query, snapshot []Mount) error {
	if len(q.Rootfs) > 0 && slices.EqualFunc(q.Rootfs, snapshot, sameMount) {
		return nil
	}
	at := q.Root
	switch {
	case len(q.Rootfs) == 1 && isBind(q.Rootfs[0]):
		at = q.Rootfs[0].Source
	case len(q.Rootfs) > 0:
		return errOther
	}
	if len(snapshot) != 1 || snapshot[0].Target != "" {
		return fmt.Errorf("the snapshot is shown by %d mounts, not by one", len(snapshot))
	}
	if isBind(snapshot[0]) {
		return isSameDir(at, snapshot[0].Source)
	}
	want, err := overlayOf(strings.Join(snapshot[0].Options, ","))
	if snapshot[0].Type != "overlay" || err != nil {
		return fmt.Errorf("a snapshot of type %q cannot be compared with what is mounted", snapshot[0].Type)
	}
	got, err := overlayAt(at)
	if err != nil {
		return err
	}
	if !want.shows(got) {
		return errOther
	}
	return nil
}

// sameMount compares two mounts, apart from options that do not change the content:
// a label of SELinux, which clients of containerd add, and a promise not to sync.
func sameMount(a, b Mount) bool {
	neutral := func(option string) bool { return option == "volatile" || strings.HasPrefix(option, "context=") }
	options := func(m Mount) []string { return slices.DeleteFunc(slices.Clone(m.Options), neutral) }
	return a.Type == b.Type && a.Source == b.Source && a.Target == b.Target && slices.Equal(options(a), options(b))
}

func isBind(m Mount) bool {
	bind := func(option string) bool { return option == "bind" || option == "rbind" }
	return m.Type == "bind" || slices.ContainsFunc(m.Options, bind)
}

// isSameDir proves that two paths are one directory: a bind mount of it, or itself.
func isSameDir(a, b string) error {
	var ids [2]linux.Stat
	for i, path := range []string{a, b} {
		st, err := linux.StatAt(nil, path)
		if err != nil {
			return fmt.Errorf("the root file system cannot be looked at: %w", err)
		}
		ids[i] = linux.Stat{Dev: st.Dev, Ino: st.Ino, Mode: st.Mode}
	}
	if ids[0] != ids[1] || !ids[0].IsDir() {
		return errOther
	}
	return nil
}

// overlayAt gives the layers of the overlay whose root is at a path.
func overlayAt(path string) (overlay, error) {
	f, err := linux.OpenPath(path)
	if err != nil {
		return overlay{}, fmt.Errorf("the root file system cannot be opened: %w", err)
	}
	defer f.Close()
	st, err := linux.StatFile(f)
	if err != nil {
		return overlay{}, err
	}
	info, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return overlay{}, err
	}
	defer info.Close()
	mounts, err := mountinfo.GetMountsFromReader(info, func(m *mountinfo.Info) (skip, stop bool) {
		return uint64(m.ID) != st.MountID, uint64(m.ID) == st.MountID
	})
	if err != nil {
		return overlay{}, fmt.Errorf("read the mounts of the host: %w", err)
	}
	if len(mounts) != 1 || !st.MountRoot || mounts[0].FSType != "overlay" || mounts[0].Root != "/" {
		return overlay{}, fmt.Errorf("%w: it is no overlay", errOther)
	}
	o, err := overlayOf(mounts[0].VFSOptions)
	if err != nil {
		return overlay{}, fmt.Errorf("read the layers of %s: %w", path, err)
	}
	return o, nil
}
