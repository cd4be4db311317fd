package idmap

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/eci-runtime/eci/internal/linux"
)

// originXattr marks a directory of an upper layer as one that was copied up, in which
// overlayfs therefore looks for whiteouts before it lists them. Empty, it says that nobody
// knows from where (ovl_path_check_origin_xattr, fs/overlayfs/util.c).
const originXattr = "trusted.overlay.origin"

// entriesAtOnce bounds what a directory, as large as a container has made it, takes of the
// shim's memory.
const entriesAtOnce = 1024

// HideWhiteouts has overlayfs not list the whiteouts below dir, a directory of an upper
// layer, open for reading, in which no overlay writes meanwhile. They belong to overlays
// of a container engine; to the outer one a name is listed of which there is no file, and
// whoever walks through it, to commit or to export, fails. It gives in how many directories
// there were some that had not been hidden.
func HideWhiteouts(dir *os.File) (hidden int, err error) { return hideWhiteouts(dir, 0) }

func hideWhiteouts(dir *os.File, depth int) (hidden int, err error) {
	if depth > maxDepth {
		return 0, fmt.Errorf("directories are nested deeper than %d", maxDepth)
	}
	whiteout := false
	for {
		entries, err := dir.ReadDir(entriesAtOnce)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return hidden, err
		}
		for _, e := range entries {
			switch {
			case e.IsDir():
				n, err := hideBelow(dir, e.Name(), depth)
				if hidden += n; err != nil {
					return hidden, err
				}
			case e.Type()&os.ModeCharDevice != 0 && !whiteout:
				st, err := linux.StatAt(dir, e.Name())
				if err != nil {
					return hidden, err
				}
				whiteout = st.Rdev == 0
			}
		}
	}
	if !whiteout {
		return hidden, nil
	}
	marked, err := linux.HasXattr(dir, originXattr)
	if err != nil || marked {
		return hidden, err
	}
	return hidden + 1, linux.SetXattr(dir, originXattr, "")
}

func hideBelow(dir *os.File, name string, depth int) (int, error) {
	sub, err := linux.OpenAt(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return 0, err
	}
	defer sub.Close()
	return hideWhiteouts(sub, depth+1)
}
