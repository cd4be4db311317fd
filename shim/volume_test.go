package shim

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/idmap"
)

func TestVolumeAttr(t *testing.T) {
	const nodev = unix.MOUNT_ATTR_NODEV
	for _, c := range []struct {
		name    string
		options []string
		want    idmap.VolumeAttr
	}{
		{"plain", []string{"bind"}, idmap.VolumeAttr{Set: nodev}},
		{"recursive", []string{"rbind", "rw"}, idmap.VolumeAttr{Recursive: true, Set: nodev}},
		{"read-only", []string{"rbind", "ro"}, idmap.VolumeAttr{Recursive: true, Set: nodev | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}},
		{"read-only, following the host", []string{"rbind", "ro", "rslave"}, idmap.VolumeAttr{Recursive: true, Set: nodev | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}},
		{"read-only, spelled recursively", []string{"rbind", "rro"}, idmap.VolumeAttr{Recursive: true, Set: nodev | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}},
		{"the last word counts", []string{"bind", "ro", "rw"}, idmap.VolumeAttr{Set: nodev}},
		{"dev cannot be had", []string{"bind", "dev"}, idmap.VolumeAttr{Set: nodev}},
		{"flags", []string{"bind", "nosuid", "noexec"}, idmap.VolumeAttr{Set: nodev | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}},
		{"access times", []string{"bind", "noatime"}, idmap.VolumeAttr{Set: nodev | unix.MOUNT_ATTR_NOATIME, Clear: unix.MOUNT_ATTR__ATIME}},
		{"slave", []string{"rbind", "rslave"}, idmap.VolumeAttr{Recursive: true, Set: nodev, Propagation: unix.MS_SLAVE}},
		{"shared is a slave's wish", []string{"rbind", "rshared"}, idmap.VolumeAttr{Recursive: true, Set: nodev, Propagation: unix.MS_SLAVE}},
		{"private", []string{"rbind", "rprivate"}, idmap.VolumeAttr{Recursive: true, Set: nodev, Propagation: unix.MS_PRIVATE}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := volumeAttr(specs.Mount{Type: "bind", Options: c.options})
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
