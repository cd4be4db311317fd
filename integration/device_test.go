package integration

import (
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// device adds a character device to a spec, with the rule that opens it, as
// `--device` does.
func device(path string, number uint64, uid, gid uint32, mode os.FileMode) func(*specs.Spec) {
	return deviceWith(path, number, uid, gid, mode, "rwm")
}

func deviceWith(path string, number uint64, uid, gid uint32, mode os.FileMode, access string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		major, minor := int64(unix.Major(number)), int64(unix.Minor(number))
		s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{
			Path: path, Type: "c", Major: major, Minor: minor, FileMode: &mode, UID: &uid, GID: &gid,
		})
		if access == "" {
			return
		}
		if s.Linux.Resources == nil {
			s.Linux.Resources = &specs.LinuxResources{}
		}
		s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{
			Allow: true, Type: "c", Major: &major, Minor: &minor, Access: access,
		})
	}
}
