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
		private bool
		want    idmap.VolumeAttr
	}{
		{"plain", []string{"bind"}, false, idmap.VolumeAttr{Set: nodev}},
		{"recursive", []string{"rbind", "rw"}, false, idmap.VolumeAttr{Recursive: true, Set: nodev}},
		{"read-only", []string{"rbind", "ro"}, false, idmap.VolumeAttr{Recursive: true, Set: nodev | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}},
		{"read-only, following the host", []string{"rbind", "ro", "rslave"}, false, idmap.VolumeAttr{Recursive: true, Set: nodev | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}},
		{"read-only, spelled recursively", []string{"rbind", "rro"}, false, idmap.VolumeAttr{Recursive: true, Set: nodev | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}},
		{"the last word counts", []string{"bind", "ro", "rw"}, false, idmap.VolumeAttr{Set: nodev}},
		{"dev cannot be had", []string{"bind", "dev"}, false, idmap.VolumeAttr{Set: nodev}},
		{"flags", []string{"bind", "nosuid", "noexec"}, false, idmap.VolumeAttr{Set: nodev | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC}},
		{"access times", []string{"bind", "noatime"}, false, idmap.VolumeAttr{Set: nodev | unix.MOUNT_ATTR_NOATIME, Clear: unix.MOUNT_ATTR__ATIME}},
		{"slave", []string{"rbind", "rslave"}, false, idmap.VolumeAttr{Recursive: true, Set: nodev, Propagation: unix.MS_SLAVE}},
		{"shared is a slave's wish", []string{"rbind", "rshared"}, false, idmap.VolumeAttr{Recursive: true, Set: nodev, Propagation: unix.MS_SLAVE}},
		{"slave, which the policy denies", []string{"rbind", "rslave"}, true, idmap.VolumeAttr{Recursive: true, Set: nodev, Propagation: unix.MS_PRIVATE}},
		{"private", []string{"rbind", "rprivate"}, false, idmap.VolumeAttr{Recursive: true, Set: nodev, Propagation: unix.MS_PRIVATE}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := volumeAttr(specs.Mount{Type: "bind", Options: c.options}, c.private)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
