package idmap

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// open opens a directory of the root file system: the one that was judged, if
// anybody judges. The result is to be closed.
func (r Rootfs) open(dir string) (*Source, error) {
	if r.Judged == nil {
		return OpenSource(nil, dir)
	}
	judged, ok := r.Judged[dir]
	if !ok {
		if missing, err := OpenSource(nil, dir); err != nil {
			return nil, err
		} else if err := missing.Close(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s", ErrNotJudged, dir)
	}
	f, err := linux.OpenAt(judged.File, ".", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Source{File: f, Path: dir, Stat: judged.Stat}, nil
}

// locate gives the name of a directory below base, by which overlayfs will find it
// later: the one that was judged, which nobody but root can exchange meanwhile.
func (r Rootfs) locate(base *os.File, dir string) (name string, err error) {
	if name, err = filepath.Rel(base.Name(), dir); err != nil {
		return "", err
	}
	st, err := linux.StatBelow(base, name)
	if err != nil || r.Judged == nil {
		return name, err
	}
	judged, ok := r.Judged[dir]
	if !ok || judged.Stat.Dev != st.Dev || judged.Stat.Ino != st.Ino {
		return "", fmt.Errorf("%w: %s", ErrNotJudged, dir)
	}
	for up := name; up != "."; {
		up = filepath.Dir(up)
		if st, err = linux.StatAt(base, up); err != nil {
			return "", err
		}
		if st.UID != 0 || st.Mode&0o022 != 0 {
			return "", fmt.Errorf("%w: others than root can change the directory that holds %s", ErrNotJudged, dir)
		}
	}
	return name, nil
}
