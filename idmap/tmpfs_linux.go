package idmap

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Tmpfs makes a detached tmpfs with the options of an OCI mount, to be given to
// [Attach]. uid= and gid= are container IDs and are shifted; without them it
// belongs to the container's root. The container cannot change its flags.
//
// ErrMountOption: an option is malformed. ErrNotMapped: an owner is outside of
// the range.
func (s *Stage) Tmpfs(opts []string) (*os.File, error) {
	o, err := parseOptions(opts)
	if err != nil {
		return nil, err
	}
	params := []string{"uid", "", "gid", ""}
	owner := map[string]uint32{}
	for _, opt := range o.data {
		key, value, _ := strings.Cut(opt, "=")
		switch key {
		case "uid", "gid":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%w: %s", ErrMountOption, opt)
			}
			owner[key] = uint32(n)
		case "tmpcopyup", "notmpcopyup", "private", "rprivate", "slave", "rslave":
			// Not read by the kernel: runc's, or propagation, which a
			// new mount has none of.
		default:
			params = append(params, key, value)
		}
	}
	for i := 0; i < 4; i += 2 {
		id, err := s.Range.HostID(owner[params[i]])
		if err != nil {
			return nil, fmt.Errorf("tmpfs option %s: %w", params[i], err)
		}
		params[i+1] = strconv.FormatUint(uint64(id), 10)
	}
	if o.ms&unix.MS_RDONLY != 0 {
		params = append(params, "ro", "")
	}
	return newTmpfs(int(o.set), params...)
}
