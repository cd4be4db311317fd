package idmap

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseOptions(t *testing.T) {
	const atime = unix.MOUNT_ATTR__ATIME
	for _, tc := range []struct {
		opts []string
		want options
	}{
		{nil, options{}},
		{[]string{"ro", "rbind"}, options{ms: unix.MS_RDONLY | unix.MS_BIND | unix.MS_REC, set: unix.MOUNT_ATTR_RDONLY}},
		{[]string{"ro", "rw"}, options{clear: unix.MOUNT_ATTR_RDONLY}},
		{[]string{"rw", "ro"}, options{ms: unix.MS_RDONLY, set: unix.MOUNT_ATTR_RDONLY}},
		{[]string{"noatime"}, options{ms: unix.MS_NOATIME, set: unix.MOUNT_ATTR_NOATIME, clear: atime}},
		{[]string{"noatime", "relatime"}, options{ms: unix.MS_NOATIME | unix.MS_RELATIME, clear: atime}},
		{[]string{"noatime", "strictatime"}, options{ms: unix.MS_NOATIME | unix.MS_STRICTATIME, set: unix.MOUNT_ATTR_STRICTATIME, clear: atime}},
		{[]string{"nodev", "dev", "nosuid"}, options{ms: unix.MS_NOSUID, set: unix.MOUNT_ATTR_NOSUID, clear: unix.MOUNT_ATTR_NODEV}},
		{[]string{"index=off", "defaults", "a", "uidmap=0:1:2", "gidmap=3:4:5"}, options{data: []string{"index=off", "a"}, uidmap: "0:1:2", gidmap: "3:4:5"}},
		{[]string{"sync", "async", "dirsync", "nodiratime"}, options{ms: unix.MS_DIRSYNC | unix.MS_NODIRATIME, set: unix.MOUNT_ATTR_NODIRATIME}},
	} {
		got, err := parseOptions(tc.opts)
		if err != nil || got.ms != tc.want.ms || got.set != tc.want.set || got.clear != tc.want.clear ||
			got.uidmap != tc.want.uidmap || got.gidmap != tc.want.gidmap || !slices.Equal(got.data, tc.want.data) {
			t.Errorf("%v: %+v, %v; want %+v", tc.opts, got, err, tc.want)
		}
	}
	for _, opt := range []string{"loop", "remount", "X-containerd.mkfs.fs=ext4"} {
		if _, err := parseOptions([]string{"ro", opt}); !errors.Is(err, ErrMountOption) {
			t.Errorf("%s: %v", opt, err)
		}
	}
}

// TestMountFlags: mount_setattr(2) refuses a bit that is set and cleared, except
// for the access times, which must be cleared to be set.
func TestMountFlags(t *testing.T) {
	for a := range mountFlags {
		for b := range mountFlags {
			o, err := parseOptions([]string{a, b})
			if err != nil {
				t.Fatal(err)
			}
			if both := o.set & o.clear &^ unix.MOUNT_ATTR__ATIME; both != 0 {
				t.Errorf("%s, %s: %#x", a, b, both)
			}
			if field := o.clear & unix.MOUNT_ATTR__ATIME; field != 0 && field != unix.MOUNT_ATTR__ATIME {
				t.Errorf("%s, %s: a part of the access times is cleared", a, b)
			}
			if o.set&unix.MOUNT_ATTR__ATIME != 0 && o.clear&unix.MOUNT_ATTR__ATIME == 0 {
				t.Errorf("%s, %s: access times are set, not cleared", a, b)
			}
		}
	}
}
